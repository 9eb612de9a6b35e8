//! Permanent failures are reported at once, with the way out and without the password.

use std::time::{Duration, Instant};

use bytes::Bytes;
use drover_shared::id::StoreId;
use drover_shared::ledger::StoreIdentity;
use drover_shared::queue::rabbitmq::{Address, ConnectOptions, Version};
use drover_shared::queue::{Broker as _, Queue, QueueError, RabbitMq};
use drover_tests::{Proxy, Rabbit, shared, unique};

use futures::StreamExt as _;

use crate::bench::{Bench, CONNECT_TIMEOUT, connect, free_port, next, receives, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_or_vhost_is_refused_at_once() {
    let right = shared().vhost();
    for (wrong, advice) in [
        (right.replace("guest:guest", "guest:s3cret"), "password"),
        (
            format!("{right}-s3cret-not").replace("guest:guest", "guest:guest"),
            "vhost",
        ),
    ] {
        let begun = Instant::now();
        match connect(&wrong).await {
            Err(QueueError::Refused { message }) => {
                assert!(message.contains(advice), "{message}");
                assert!(!message.contains("guest:"), "{message}");
                assert!(!message.contains(":s3cret"), "{message}");
            }
            other => panic!("{wrong}: {other:?}"),
        }
        assert!(
            begun.elapsed() < CONNECT_TIMEOUT / 3,
            "after {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_where_nobody_listens_is_unavailable_after_the_timeout() {
    let proxy = Proxy::to(1);
    proxy.cut();
    let silent = Proxy::to(shared().port());
    silent.half_open();
    for port in [free_port(), proxy.port(), silent.port()] {
        let address: Address = format!("amqp://user:s3cret@127.0.0.1:{port}")
            .parse()
            .unwrap();
        let timeout = Duration::from_millis(700);
        let begun = Instant::now();
        let error = RabbitMq::connect(&address, "test", ConnectOptions::within(timeout))
            .await
            .unwrap_err();
        assert!(begun.elapsed() >= timeout);
        assert!(begun.elapsed() < timeout * 5, "after {:?}", begun.elapsed());
        match error {
            QueueError::Unavailable { message } => {
                assert!(
                    message.contains(&format!("user@127.0.0.1:{port}")),
                    "{message}"
                );
                assert!(!message.contains("s3cret"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_up_within_the_timeout_is_waited_for() {
    let proxy = Proxy::to(shared().port());
    proxy.cut();
    let url = shared().vhost_at(proxy.port());
    let connected = connect(&url);
    let restored = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        proxy.restore();
    };
    let (connected, ()) = futures::join!(connected, restored);
    connected.expect("connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_before_it_tells_its_version_is_waited_for_too() {
    let proxy = Proxy::to(shared().port());
    // The first connection stays, the second connection asks for the version.
    proxy.admit(1);
    let url = shared().vhost_at(proxy.port());
    let connected = connect(&url);
    let restored = async {
        while proxy.turned_away() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        proxy.restore();
    };
    let (connected, ()) = within(futures::future::join(connected, restored)).await;
    connected.expect("connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_version_is_known() {
    let broker = connect(&shared().vhost()).await.unwrap();
    let said = shared().ctl(&["version"]);
    let version: Version = said.trim().parse().unwrap();
    assert_eq!(broker.version(), version);
    assert!(version >= Version::new(3, 10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_another_shape_is_refused_with_the_way_out() {
    let url = shared().vhost();
    let bench = Bench::undeclared(&url).await;
    bench.declare_by_hand(&url, "x-max-length", 5).await;
    match bench.broker.declare(&bench.pipeline).await {
        Err(QueueError::Refused { message }) => {
            assert!(message.contains("delete_queue"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queues_of_another_store_are_refused_and_both_stores_are_named() {
    let url = shared().vhost();
    let pipeline = unique("pipeline").parse().unwrap();
    let [first, second] = ["/data/first", "/data/second"].map(|made_at| StoreIdentity {
        id: StoreId::generate(),
        made_at: made_at.to_owned(),
    });
    let plain = connect(&url).await.unwrap();
    plain.declare(&pipeline).await.unwrap();
    assert!(
        !plain.has_owner(&pipeline).await.unwrap(),
        "an older Drover"
    );
    let of_first = plain.clone().for_store(Some(first.clone()));
    let of_second = plain.clone().for_store(Some(second.clone()));
    for _ in 0..2 {
        of_first.declare(&pipeline).await.unwrap();
    }
    assert!(plain.has_owner(&pipeline).await.unwrap());
    let refused = of_second.declare(&pipeline).await;
    let Err(QueueError::Refused { message }) = refused else {
        panic!("{refused:?}");
    };
    for named in [
        first.id.as_str(),
        second.id.as_str(),
        "vhost",
        "delete_queue",
    ] {
        assert!(message.contains(named), "{named} is missing: {message}");
    }
    plain.declare(&pipeline).await.unwrap();
    let bench = Bench {
        broker: plain,
        pipeline,
    };
    bench.delete_queue(&url).await;
    of_second.declare(&bench.pipeline).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_may_not_write_is_refused_before_any_job_exists() {
    let url = shared().vhost();
    let vhost = url.rsplit('/').next().unwrap();
    let user = unique("reader");
    shared().ctl(&["add_user", &user, "s3cret"]);
    shared().ctl(&["set_permissions", "-p", vhost, &user, ".*", "", ".*"]);
    let readers = url.replace("guest:guest", &format!("{user}:s3cret"));
    let reader = connect(&readers);
    let store = StoreIdentity {
        id: StoreId::generate(),
        made_at: "/data".to_owned(),
    };
    let reader = reader.await.unwrap().for_store(Some(store));
    let declared = reader.declare(&unique("pipeline").parse().unwrap()).await;
    assert!(
        matches!(&declared, Err(QueueError::Refused { message }) if message.contains("set_permissions")),
        "{declared:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_of_a_broker_are_tried_in_turn() {
    let url = shared().vhost();
    let (dead, live) = (free_port(), shared().port().to_string());
    let several = [
        url.replace(&live, &format!("{dead},127.0.0.1:{live}")),
        format!("amqp://a:s3cret@127.0.0.1:{dead}/x,{url}"),
    ];
    for several in several {
        let begun = Instant::now();
        let broker = connect(&several).await.expect("one of the hosts is up");
        broker
            .declare(&unique("pipeline").parse().unwrap())
            .await
            .unwrap();
        assert!(begun.elapsed() < CONNECT_TIMEOUT / 2);
    }
    let nowhere: Address = format!(
        "amqp://a:s3cret@127.0.0.1:{dead},127.0.0.1:{}/x",
        free_port()
    )
    .parse()
    .unwrap();
    let options = ConnectOptions::within(Duration::from_millis(700));
    let error = RabbitMq::connect(&nowhere, "test", options)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&dead.to_string()) && !text.contains("s3cret"),
        "{text}"
    );
}

/// The broker closes the channel because of such a message, and all messages in flight on the channel fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_refused_alone() {
    let rabbit = Rabbit::configured("max_message_size = 20000\n");
    let bench = Bench::at(&rabbit.vhost()).await;
    let small = |number: u32| bench.try_publish_number(number);
    let datums = bench.datums();
    let large = bench
        .broker
        .publish(&datums, Bytes::from(vec![b'x'; 30_000]));
    let (small_ones, large) = futures::join!(futures::future::join_all((0..50).map(small)), large);
    assert!(
        matches!(&large, Err(QueueError::Refused { message }) if message.contains("size")),
        "{large:?}"
    );
    for published in small_ones {
        published.expect("a small one is published");
    }
    let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    receives(&mut *bench.consume(10).await, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_gave_up_says_so_in_plain_words() {
    let url = shared().vhost();
    let bench = Bench::undeclared(&url).await;
    bench.declare_by_hand(&url, "x-delivery-limit", 1).await;
    bench.broker.declare(&bench.pipeline).await.unwrap_err();
    bench.publish("often").await;
    let mut consumer = bench.consume(1).await;
    for _ in 0..2 {
        assert!(next(&mut *consumer).await.requeue().await.unwrap());
    }
    let mut reader = bench.broker.consume(&bench.dead(), 1).await.unwrap();
    let dead = next(&mut *reader).await;
    assert_eq!(
        dead.dead_letter_reason.as_deref(),
        Some("delivered too often without an answer")
    );
    assert!(dead.given_up);
}

/// The broker tells of an undeliverable message apart from its confirmation, and lapin joins the two by order alone.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_messages_in_flight_only_the_undeliverable_ones_are_missed() {
    const MESSAGES: u32 = 5_000;
    const IN_FLIGHT: usize = 20;
    let bench = Bench::at(&shared().vhost()).await;
    let (somewhere, nowhere) = (
        bench.datums(),
        Queue::Datums(unique("nowhere").parse().unwrap()),
    );
    let publish = async |number: u32| {
        let is_lost = number.is_multiple_of(3);
        let queue = if is_lost { &nowhere } else { &somewhere };
        let body = Bytes::from(number.to_string());
        let published = bench.broker.publish(queue, body).await;
        let missed = matches!(published, Err(QueueError::Missing { .. }));
        assert_eq!(missed, is_lost, "{number}: {published:?}");
        assert_eq!(published.is_ok(), !is_lost, "{number}: {published:?}");
    };
    let all = futures::stream::iter(0..MESSAGES).map(publish);
    within(all.buffer_unordered(IN_FLIGHT).collect::<Vec<_>>()).await;
    let lost = u64::from(MESSAGES.div_ceil(3));
    let depth = bench.broker.depth(&somewhere).await.unwrap();
    assert_eq!(depth.ready, u64::from(MESSAGES) - lost);
}
