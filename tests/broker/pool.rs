//! The pool of publishing connections: its size, and the loss of a connection.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use drover_shared::queue::{Broker, Link, Queue, RabbitMq};
use drover_tests::{DEADLINE, Rabbit};
use futures::future::join_all;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::bench::{connect_pooled, next, text, within};

const PIPELINES: usize = 6;

/// The publishing connections of the tests, as the broker sees them.
fn publishing(rabbit: &Rabbit) -> Vec<String> {
    let listed =
        block_in_place(|| rabbit.ctl(&["list_connections", "--quiet", "pid", "client_properties"]));
    let connections = listed.lines().filter_map(|line| line.split_once('\t'));
    connections
        .filter(|(_, properties)| properties.contains("\"test publishing\""))
        .map(|(pid, _)| pid.to_owned())
        .collect()
}

async fn declare_all(broker: &RabbitMq) -> Vec<Queue> {
    let mut queues = Vec::new();
    for number in 0..PIPELINES {
        let pipeline = format!("pooled-{number}").parse().expect("a name");
        broker.declare(&pipeline).await.expect("declared");
        queues.push(Queue::Datums(pipeline));
    }
    queues
}

async fn publish(broker: &RabbitMq, queue: &Queue, number: u32) {
    let body = Bytes::from(number.to_string());
    let published = within(broker.publish(queue, body)).await;
    published.expect("published in the end");
}

/// Publishes to all queues at the same time until `seen` is true of the broker's list of connections.
async fn publish_until(
    rabbit: &Rabbit,
    broker: &RabbitMq,
    queues: &[Queue],
    mut seen: impl FnMut(&[String]) -> bool,
) {
    let publishers = join_all(queues.iter().map(async |queue| {
        for number in 0.. {
            publish(broker, queue, number).await;
        }
    }));
    let observer = async {
        let begun = Instant::now();
        while !seen(&publishing(rabbit)) {
            assert!(begun.elapsed() < DEADLINE, "the pool stays as it was");
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = publishers => unreachable!("the publishers never end"),
        () = observer => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_publishers_share_connections_up_to_the_size_of_the_pool() {
    let rabbit = Rabbit::start();
    let broker = connect_pooled(&rabbit.vhost(), "3").await;
    let queues = declare_all(&broker).await;
    for queue in &queues {
        publish(&broker, queue, 0).await;
    }
    assert_eq!(publishing(&rabbit).len(), 1, "publishers that take turns");
    let mut full = 0;
    publish_until(&rabbit, &broker, &queues, |connections| {
        assert!(connections.len() <= 3, "{connections:?}");
        full += usize::from(connections.len() == 3);
        full == 3
    })
    .await;
    assert_eq!(publishing(&rabbit).len(), 3, "idle connections stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_publishing_connection_is_replaced_and_loses_no_confirmed_message() {
    let rabbit = Rabbit::start();
    let broker = connect_pooled(&rabbit.vhost(), "2").await;
    let queues = declare_all(&broker).await;
    let stop = AtomicBool::new(false);
    let publishers = join_all(queues.iter().map(async |queue| {
        let mut confirmed = 0;
        while !stop.load(Ordering::Relaxed) {
            publish(&broker, queue, confirmed).await;
            confirmed += 1;
        }
        confirmed
    }));
    let closing = async {
        let mut killed = BTreeSet::new();
        let begun = Instant::now();
        while killed.len() < 4 {
            assert!(begun.elapsed() < DEADLINE, "killed so far: {killed:?}");
            for connection in publishing(&rabbit) {
                if killed.insert(connection.clone()) {
                    block_in_place(|| rabbit.ctl(&["close_connection", &connection, "test"]));
                }
            }
            // The publishers go on meanwhile.
            sleep(Duration::from_millis(200)).await;
        }
        stop.store(true, Ordering::Relaxed);
        killed
    };
    let (confirmed, killed) = futures::join!(publishers, closing);
    let left = publishing(&rabbit);
    assert!(left.iter().all(|connection| !killed.contains(connection)));
    assert!((1..=2).contains(&left.len()), "{left:?}");
    for (queue, confirmed) in queues.iter().zip(confirmed) {
        let mut consumer = broker.consume(queue, 1_000).await.expect("a consumer");
        let mut missing: BTreeSet<_> = (0..confirmed).map(|number| number.to_string()).collect();
        while !missing.is_empty() {
            let delivery = next(&mut *consumer).await;
            missing.remove(&text(&delivery));
            delivery.ack().await.expect("answered");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publishing_connection_that_died_idle_is_not_handed_out() {
    let rabbit = Rabbit::start();
    let broker = connect_pooled(&rabbit.vhost(), "2").await;
    let queues = declare_all(&broker).await;
    publish(&broker, &queues[0], 0).await;
    let idle = publishing(&rabbit);
    block_in_place(|| rabbit.ctl(&["close_connection", &idle[0], "test"]));
    publish(&broker, &queues[0], 1).await;
    let after = publishing(&rabbit);
    assert_eq!(after.len(), 1);
    assert_ne!(after, idle);
    assert_eq!(broker.link(), Link::Up);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_opens_no_further_connection_and_loses_no_message() {
    let rabbit = Rabbit::start();
    let watermark = |limit: &str| {
        block_in_place(|| rabbit.ctl(&["set_vm_memory_high_watermark", "absolute", limit]));
    };
    let broker = connect_pooled(&rabbit.vhost(), "4").await;
    let queues = declare_all(&broker).await;
    publish(&broker, &queues[0], 0).await;
    watermark("1");
    let blocked = publish(&broker, &queues[0], 1);
    let others = async {
        let begun = Instant::now();
        while !matches!(broker.link(), Link::Blocked { .. }) {
            assert!(begun.elapsed() < DEADLINE, "the alarm goes unnoticed");
            sleep(Duration::from_millis(20)).await;
        }
        let others = join_all(queues[1..].iter().map(|queue| publish(&broker, queue, 2)));
        let calm = async {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(
                publishing(&rabbit).len(),
                1,
                "a new one would be blocked too"
            );
            watermark("1GB");
        };
        futures::future::join(others, calm).await;
    };
    futures::future::join(blocked, others).await;
    for queue in &queues[1..] {
        assert_eq!(broker.depth(queue).await.expect("counted").ready, 1);
    }
    assert_eq!(broker.depth(&queues[0]).await.expect("counted").ready, 2);
}
