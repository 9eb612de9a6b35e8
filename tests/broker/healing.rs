//! Connections, channels and queues go away; consumers and publishers go on, and nothing confirmed is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use drover_shared::queue::{Broker as _, Link, Queue, QueueError};
use drover_tests::{DEADLINE, Proxy, Rabbit, shared};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::task::block_in_place;
use tokio::time::{Instant, timeout};

use crate::bench::{Bench, is_lost, next, receives, text, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing_and_stops_nobody() {
    survives(&Rabbit::start(), Rabbit::restart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_loses_nothing_and_stops_nobody() {
    survives(&Rabbit::start(), |rabbit| {
        rabbit.kill();
        rabbit.start_again();
    })
    .await;
}

async fn survives(rabbit: &Rabbit, fault: impl FnOnce(&Rabbit)) {
    let bench = Bench::at(&rabbit.vhost()).await;
    bench.publish("before").await;
    bench.publish("held").await;
    let mut consumer = bench.consume(2).await;
    let listener = bench.broker.listen(bench.pipeline.as_str()).await;
    let mut listener = listener.expect("listening");
    assert!(next(&mut *consumer).await.ack().await.expect("answered"));
    let held = next(&mut *consumer).await;

    block_in_place(|| fault(rabbit));

    // The claim tells, though nobody asks its consumer for more.
    within(held.lost().cancelled()).await;
    bench.publish("after").await;
    receives(&mut *consumer, &["held", "after"]).await;
    assert!(!held.is_live(), "a claim outlived its channel");
    let late = held.ack().await.expect("answered");
    assert!(!late, "an old ack was taken");
    let hear = async { text(&next(&mut *listener).await) };
    let tell = async {
        // A broadcast before the listener is back is lost.
        loop {
            bench
                .broker
                .broadcast(Bytes::from_static(b"hear"))
                .await
                .expect("told");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        heard = hear => assert_eq!(heard, "hear"),
        () = tell => unreachable!("it tells for ever"),
    }
    bench.link_is("up", |link| *link == Link::Up).await;
    let depth = bench.broker.depth(&bench.datums()).await.expect("counted");
    assert_eq!(depth.ready, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_before_a_kill_is_there_after_it() {
    const MESSAGES: u32 = 3_000;
    const IN_FLIGHT: usize = 100;
    let rabbit = Rabbit::start();
    let bench = Bench::at(&rabbit.vhost()).await;
    let publish = async {
        let mut waiting = (0..MESSAGES).map(|number| bench.try_publish_number(number));
        let mut flying: FuturesUnordered<_> = waiting.by_ref().take(IN_FLIGHT).collect();
        while let Some(published) = flying.next().await {
            published.expect("published in the end");
            flying.extend(waiting.next());
        }
    };
    let blows = async {
        while bench.broker.depth(&bench.datums()).await.unwrap().ready < 500 {}
        block_in_place(|| {
            rabbit.kill();
            rabbit.start_again();
        });
    };
    timeout(DEADLINE, futures::future::join(publish, blows))
        .await
        .expect("publishing goes on");
    let mut consumer = bench.consume(1_000).await;
    let mut missing: BTreeSet<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    while !missing.is_empty() {
        let delivery = next(&mut *consumer).await;
        missing.remove(&text(&delivery));
        delivery.ack().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_is_made_again() {
    let proxy = Proxy::to(shared().port());
    let bench = Bench::at(&shared().vhost_at(proxy.port())).await;
    for each in ["held", "ahead"] {
        bench.publish(each).await;
    }
    let mut consumer = bench.consume(2).await;
    let held = next(&mut *consumer).await;
    proxy.cut();
    is_lost(&held).await;
    assert!(matches!(bench.broker.link(), Link::Down { .. }));
    let publish = bench.publish("meanwhile");
    let restore = async { proxy.restore() };
    futures::join!(publish, restore);
    let first = next(&mut *consumer).await;
    assert!(
        first.is_live(),
        "what was sent ahead died with its connection"
    );
    assert_eq!(text(&first), "held");
    assert!(first.ack().await.unwrap());
    receives(&mut *consumer, &["ahead", "meanwhile"]).await;
    bench.link_is("up", |link| *link == Link::Up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_network_is_noticed_by_its_silence() {
    let proxy = Proxy::to(shared().port());
    let url = format!("{}?heartbeat=1", shared().vhost_at(proxy.port()));
    let bench = Bench::at(&url).await;
    bench.publish("held").await;
    let mut consumer = bench.consume(1).await;
    let held = next(&mut *consumer).await;
    proxy.half_open();
    let begun = Instant::now();
    is_lost(&held).await;
    assert!(matches!(bench.broker.link(), Link::Down { .. }));
    let noticed = begun.elapsed();
    assert!(
        noticed < Duration::from_secs(6),
        "noticed after {noticed:?}"
    );
    proxy.restore();
    receives(&mut *consumer, &["held"]).await;
    bench.publish("after").await;
    receives(&mut *consumer, &["after"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_is_only_slow() {
    let proxy = Proxy::to(shared().port());
    let bench = Bench::at(&shared().vhost_at(proxy.port())).await;
    proxy.delay(Duration::from_millis(100));
    proxy.throttle(20_000);
    let mut consumer = bench.consume(1).await;
    let long = "x".repeat(10_000);
    let (delivery, ()) = futures::join!(next(&mut *consumer), bench.publish(&long));
    assert!(delivery.ack().await.unwrap());
    assert_eq!(bench.broker.link(), Link::Up);
}

/// 3.10 knows the timeout by its configuration alone, later ones by the queue as well; Drover's own queues say days.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_broker_closed_is_opened_again() {
    let rabbit = Rabbit::configured("consumer_timeout = 1000\n");
    rabbit.ctl(&[
        "eval",
        "application:set_env(rabbit, channel_tick_interval, 200).",
    ]);
    let url = rabbit.vhost();
    let bench = Bench::undeclared(&url).await;
    bench
        .declare_by_hand(&url, "x-consumer-timeout", 1_000)
        .await;
    bench.publish("slow").await;
    let mut consumer = bench.consume(1).await;
    let slow = next(&mut *consumer).await;
    assert_eq!(slow.redeliveries, 0);
    bench
        .link_is("down", |link| matches!(link, Link::Down { .. }))
        .await;
    assert!(!slow.is_live());
    let again = next(&mut *consumer).await;
    assert_eq!(text(&again), "slow");
    assert!(again.redeliveries > 0);
    assert!(!slow.ack().await.unwrap(), "an old ack was taken");
    assert!(again.ack().await.unwrap());
    bench.link_is("up", |link| *link == Link::Up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_queue_was_deleted_says_so_and_goes_on_when_it_is_back() {
    let url = shared().vhost();
    let bench = Bench::at(&url).await;
    let mut consumer = bench.consume(1).await;
    bench.delete_queue(&url).await;
    let ended = timeout(DEADLINE, consumer.next()).await.unwrap();
    assert!(
        matches!(ended, Err(QueueError::Missing { .. })),
        "{ended:?}"
    );
    assert!(matches!(bench.broker.link(), Link::Down { .. }));
    let published = bench.try_publish("nowhere").await;
    assert!(
        matches!(published, Err(QueueError::Missing { .. })),
        "{published:?}"
    );
    bench.broker.declare(&bench.pipeline).await.unwrap();
    bench.publish("again").await;
    receives(&mut *consumer, &["again"]).await;
    assert_eq!(bench.broker.link(), Link::Up);
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_waiting_again_and_again_does_not_keep_a_consumer_from_coming_back() {
    let proxy = Proxy::to(shared().port());
    let bench = Bench::at(&shared().vhost_at(proxy.port())).await;
    let mut consumer = bench.consume(1).await;
    proxy.cut();
    bench
        .link_is("down", |link| matches!(link, Link::Down { .. }))
        .await;
    proxy.restore();
    // The network is slow now: to come back takes many of the waits below.
    proxy.delay(Duration::from_millis(20));
    bench.publish("again").await;
    let delivery = async {
        loop {
            if let Ok(delivery) = timeout(Duration::from_millis(5), consumer.next()).await {
                return delivery.unwrap();
            }
        }
    };
    let delivery = timeout(DEADLINE, delivery).await.expect("it comes back");
    assert_eq!(text(&delivery), "again");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_while_beginning_to_consume_leaves_no_consumer_behind() {
    let proxy = Proxy::to(shared().port());
    let bench = Bench::at(&shared().vhost_at(proxy.port())).await;
    let queue = Queue::Reports(bench.pipeline.clone());
    // Each answer takes its time, so that giving up hits every step of beginning.
    proxy.delay(Duration::from_millis(40));
    for limit in (20..400).step_by(20).map(Duration::from_millis) {
        let begun = timeout(limit, bench.broker.consume(&queue, 1)).await;
        drop(begun);
    }
    proxy.restore();
    let begun = Instant::now();
    while bench.broker.depth(&queue).await.expect("asked").consumers > 0 {
        assert!(begun.elapsed() < DEADLINE, "a consumer was left behind");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
