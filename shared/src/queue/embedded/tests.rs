use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::timeout;

use super::Embedded;
use super::backlog::DELIVERY_LIMIT;
use crate::id::PipelineName;
use crate::queue::testing::suite;
use crate::queue::{Broker, Delivery, Queue};

#[tokio::test]
async fn the_embedded_broker_behaves_as_every_broker_must() {
    let broker = Embedded::new(1_000);
    suite::suite(async || Arc::new(broker.clone()) as Arc<dyn Broker>).await;
}

#[tokio::test]
async fn a_requeue_is_not_counted() {
    let (broker, queue) = declared(10).await;
    broker
        .publish(&queue, Bytes::from_static(b"x"))
        .await
        .unwrap();
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    for _ in 0..3 {
        let delivery = consumer.next().await.unwrap();
        assert_eq!(delivery.redeliveries, 0);
        assert!(delivery.requeue().await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn publishing_waits_while_the_queue_is_full() {
    let (broker, queue) = declared(2).await;
    for _ in 0..2 {
        broker
            .publish(&queue, Bytes::from_static(b"x"))
            .await
            .unwrap();
    }
    let mut third = broker.publish(&queue, Bytes::from_static(b"y"));
    assert!(
        timeout(Duration::from_secs(60), &mut third).await.is_err(),
        "a third was let in"
    );
    let mut consumer = broker.consume(&queue, 10).await.unwrap();
    let _held = consumer.next().await.unwrap();
    third.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn room_reaches_every_waiting_publisher() {
    let (broker, queue) = declared(1).await;
    let publishers = futures::future::join_all(
        (0..20).map(|_| broker.publish(&queue, Bytes::from_static(b"x"))),
    );
    let consumer = async {
        let mut consumer = broker.consume(&queue, 1).await.unwrap();
        for _ in 0..20 {
            assert!(consumer.next().await.unwrap().ack().await.unwrap());
        }
    };
    let both = timeout(
        Duration::from_secs(60),
        futures::future::join(publishers, consumer),
    );
    both.await.expect("all are published and taken");
}

#[tokio::test]
async fn a_message_that_nobody_survives_ends_in_the_dead_queue() {
    let (broker, queue) = declared(10).await;
    broker
        .publish(&queue, Bytes::from_static(b"x"))
        .await
        .unwrap();
    for _ in 0..=DELIVERY_LIMIT {
        let mut consumer = broker.consume(&queue, 1).await.unwrap();
        drop(consumer.next().await.unwrap());
    }
    let dead = Queue::Dead("p".parse().unwrap());
    let mut reader = broker.consume(&dead, 1).await.unwrap();
    assert_eq!(reader.next().await.unwrap().body, "x");
    assert_eq!(broker.purge(&queue).await.unwrap(), 0);
}

async fn declared(capacity: usize) -> (Embedded, Queue) {
    let broker = Embedded::new(capacity);
    let pipeline: PipelineName = "p".parse().unwrap();
    broker.declare(&pipeline).await.unwrap();
    (broker, Queue::Datums(pipeline))
}

/// An event at a queue with two consumers. Positions count modulo the number of messages.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    Next(usize),
    Ack(usize),
    Requeue(usize),
    Reject(usize),
    Forget(usize),
    Replace(usize),
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Publish),
        4 => (0..2usize).prop_map(Step::Next),
        2 => any::<usize>().prop_map(Step::Ack),
        2 => any::<usize>().prop_map(Step::Requeue),
        1 => any::<usize>().prop_map(Step::Reject),
        1 => any::<usize>().prop_map(Step::Forget),
        1 => (0..2usize).prop_map(Step::Replace),
        1 => Just(Step::Purge),
    ]
}

/// Simple model of the queue.
#[derive(Default)]
struct Model {
    published: u64,
    ready: BTreeSet<u64>,
    unsettled: [BTreeSet<u64>; 2],
    dead: BTreeSet<u64>,
}

proptest! {
    /// Under any sequence of steps: acked messages stay away, unacked messages are not lost, the oldest ready message
    /// comes first.
    #[test]
    fn every_message_is_in_exactly_one_place(steps in proptest::collection::vec(step(), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(follow(steps));
    }
}

async fn follow(steps: Vec<Step>) {
    const PREFETCH: u16 = 3;
    let (broker, queue) = declared(1_000).await;
    let mut consumers = Vec::new();
    for _ in 0..2 {
        consumers.push(broker.consume(&queue, PREFETCH).await.unwrap());
    }
    let mut model = Model::default();
    let mut in_flight: Vec<(usize, u64, Delivery)> = Vec::new();
    for step in steps {
        match step {
            Step::Publish => {
                let body = Bytes::from(model.published.to_string());
                broker.publish(&queue, body).await.unwrap();
                model.ready.insert(model.published);
                model.published += 1;
            }
            Step::Next(who) => {
                let expected = model.ready.first().copied();
                let expected =
                    expected.filter(|_| model.unsettled[who].len() < usize::from(PREFETCH));
                let delivery = futures::FutureExt::now_or_never(consumers[who].next());
                let delivery = delivery.map(Result::unwrap);
                assert_eq!(delivery.as_ref().map(number), expected);
                if let (Some(number), Some(delivery)) = (expected, delivery) {
                    model.ready.remove(&number);
                    model.unsettled[who].insert(number);
                    in_flight.push((who, number, delivery));
                }
            }
            Step::Ack(at) => {
                if let Some((who, number, delivery)) = take(&mut in_flight, at) {
                    let unsettled = model.unsettled[who].remove(&number);
                    assert_eq!(delivery.ack().await.unwrap(), unsettled);
                }
            }
            Step::Requeue(at) => {
                if let Some((who, number, delivery)) = take(&mut in_flight, at) {
                    let unsettled = model.unsettled[who].remove(&number);
                    model.ready.extend(unsettled.then_some(number));
                    assert_eq!(delivery.requeue().await.unwrap(), unsettled);
                }
            }
            Step::Reject(at) => {
                if let Some((who, number, delivery)) = take(&mut in_flight, at) {
                    let unsettled = model.unsettled[who].remove(&number);
                    model.dead.extend(unsettled.then_some(number));
                    assert_eq!(delivery.reject("why").await.unwrap(), unsettled);
                }
            }
            Step::Forget(at) => drop(take(&mut in_flight, at)),
            Step::Replace(who) => {
                consumers[who] = broker.consume(&queue, PREFETCH).await.unwrap();
                let abandoned = std::mem::take(&mut model.unsettled[who]);
                model.ready.extend(abandoned);
                // The claims are lost now, so answers must have no effect.
                for (_, _, late) in in_flight.extract_if(.., |(whose, ..)| *whose == who) {
                    assert!(!late.ack().await.unwrap());
                }
            }
            Step::Purge => {
                let purged = broker.purge(&queue).await.unwrap();
                assert_eq!(purged, model.ready.len() as u64);
                model.ready.clear();
            }
        }
    }
    let left = model
        .unsettled
        .iter()
        .flatten()
        .chain(&model.ready)
        .copied()
        .collect();
    drop(consumers);
    assert_eq!(drain(&broker, &queue).await, left);
    assert_eq!(
        drain(&broker, &Queue::Dead("p".parse().unwrap())).await,
        model.dead
    );
}

fn take(in_flight: &mut Vec<(usize, u64, Delivery)>, at: usize) -> Option<(usize, u64, Delivery)> {
    (!in_flight.is_empty()).then(|| in_flight.swap_remove(at % in_flight.len()))
}

fn number(delivery: &Delivery) -> u64 {
    std::str::from_utf8(&delivery.body)
        .unwrap()
        .parse()
        .unwrap()
}

async fn drain(broker: &Embedded, queue: &Queue) -> BTreeSet<u64> {
    let mut consumer = broker.consume(queue, u16::MAX).await.unwrap();
    let mut all = BTreeSet::new();
    while let Some(delivery) = futures::FutureExt::now_or_never(consumer.next()) {
        assert!(all.insert(number(&delivery.unwrap())), "delivered twice");
    }
    all
}
