//! Conformance suite for every implementation of [`Broker`].
//!
//! Each case has queues of its own, so all cases may share one running broker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use ulid::Ulid;

use crate::id::PipelineName;
use crate::queue::{Broker, Consumer, Delivery, Depth, Queue, QueueError};

/// Deadline for an expected event.
const DEADLINE: Duration = Duration::from_secs(10);

/// Time for which an unexpected event must not happen.
const QUIET_TIME: Duration = Duration::from_millis(100);

/// Interval between polls of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Asks `make` for a broker, several times, and checks every promise.
///
/// # Panics
/// When a promise is broken.
pub async fn suite(make: impl AsyncFn() -> Arc<dyn Broker>) {
    messages_are_delivered_in_the_order_of_publishing(QueueFixture::new(&make).await).await;
    an_acked_message_is_never_redelivered(QueueFixture::new(&make).await).await;
    a_requeued_message_is_redelivered_first(QueueFixture::new(&make).await).await;
    unsettled_messages_of_a_dropped_consumer_are_redelivered(QueueFixture::new(&make).await).await;
    an_answer_after_the_consumer_is_gone_is_not_taken(QueueFixture::new(&make).await).await;
    a_dropped_delivery_stays_with_its_consumer(QueueFixture::new(&make).await).await;
    no_more_than_the_prefetch_is_held(QueueFixture::new(&make).await).await;
    consumers_share_the_messages(QueueFixture::new(&make).await).await;
    a_stopped_consumer_takes_no_more_but_can_settle(QueueFixture::new(&make).await).await;
    a_rejected_message_is_read_from_the_dead_queue_with_its_reason(QueueFixture::new(&make).await)
        .await;
    reports_have_a_single_active_consumer(QueueFixture::new(&make).await).await;
    the_next_consumer_of_reports_begins_with_unsettled_messages(QueueFixture::new(&make).await)
        .await;
    a_broadcast_reaches_every_listener(QueueFixture::new(&make).await).await;
    the_depth_counts_ready_messages_and_consumers(QueueFixture::new(&make).await).await;
    purge_keeps_unsettled_messages(QueueFixture::new(&make).await).await;
    a_waiting_consumer_is_woken(QueueFixture::new(&make).await).await;
    a_cancelled_wait_loses_nothing(QueueFixture::new(&make).await).await;
    queues_do_not_mix(QueueFixture::new(&make).await).await;
    declaring_again_changes_nothing(QueueFixture::new(&make).await).await;
    a_queue_that_was_not_declared_is_missing(QueueFixture::new(&make).await).await;
}

async fn messages_are_delivered_in_the_order_of_publishing(fixture: QueueFixture) {
    fixture.publish(0..100).await;
    let mut consumer = fixture.consume(10).await;
    for expected in 0..100 {
        let delivery = next_in_time(&mut *consumer).await;
        assert_eq!(number(&delivery), expected);
        assert_eq!(delivery.redeliveries, 0);
        assert!(delivery.ack().await.expect("ack"));
    }
}

async fn an_acked_message_is_never_redelivered(fixture: QueueFixture) {
    fixture.publish(0..1).await;
    let mut consumer = fixture.consume(1).await;
    assert!(next_in_time(&mut *consumer).await.ack().await.expect("ack"));
    drop(consumer);
    expect_no_delivery(&mut *fixture.consume(1).await).await;
}

async fn a_requeued_message_is_redelivered_first(fixture: QueueFixture) {
    fixture.publish(0..3).await;
    let mut consumer = fixture.consume(1).await;
    let delivery = next_in_time(&mut *consumer).await;
    assert!(delivery.requeue().await.expect("hand-back"));
    for expected in 0..3 {
        let delivery = next_in_time(&mut *consumer).await;
        assert_eq!(number(&delivery), expected);
        assert!(delivery.ack().await.expect("ack"));
    }
}

async fn unsettled_messages_of_a_dropped_consumer_are_redelivered(fixture: QueueFixture) {
    fixture.publish(0..5).await;
    let mut consumer = fixture.consume(3).await;
    for _ in 0..3 {
        drop(next_in_time(&mut *consumer).await);
    }
    drop(consumer);
    // The broker notices the dropped consumer a moment later; a consumer that subscribes earlier would receive the
    // messages that never left the queue.
    fixture.all_ready(5).await;
    let mut consumer = fixture.consume(1).await;
    for expected in 0..5 {
        let delivery = next_in_time(&mut *consumer).await;
        assert_eq!(
            number(&delivery),
            expected,
            "redelivered messages keep their order"
        );
        assert_eq!(
            delivery.redeliveries > 0,
            expected < 3,
            "message {expected}"
        );
        assert!(delivery.ack().await.expect("ack"));
    }
}

async fn an_answer_after_the_consumer_is_gone_is_not_taken(fixture: QueueFixture) {
    fixture.publish(0..1).await;
    let mut consumer = fixture.consume(1).await;
    let late = next_in_time(&mut *consumer).await;
    drop(consumer);
    let mut survivor = fixture.consume(1).await;
    let delivery = next_in_time(&mut *survivor).await;
    assert!(!late.ack().await.expect("late ack"), "a late ack was taken");
    assert!(delivery.ack().await.expect("ack"));
}

async fn a_dropped_delivery_stays_with_its_consumer(fixture: QueueFixture) {
    fixture.publish(0..2).await;
    let mut consumer = fixture.consume(2).await;
    drop(next_in_time(&mut *consumer).await);
    assert_eq!(number(&next_in_time(&mut *consumer).await), 1);
    expect_no_delivery(&mut *consumer).await;
}

async fn no_more_than_the_prefetch_is_held(fixture: QueueFixture) {
    fixture.publish(0..5).await;
    let mut consumer = fixture.consume(2).await;
    let first = next_in_time(&mut *consumer).await;
    let _second = next_in_time(&mut *consumer).await;
    expect_no_delivery(&mut *consumer).await;
    assert!(first.ack().await.expect("ack"));
    assert_eq!(number(&next_in_time(&mut *consumer).await), 2);
    expect_no_delivery(&mut *consumer).await;
}

async fn consumers_share_the_messages(fixture: QueueFixture) {
    fixture.publish(0..4).await;
    let mut one = fixture.consume(2).await;
    let mut other = fixture.consume(2).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(number(&next_in_time(&mut *one).await));
        seen.push(number(&next_in_time(&mut *other).await));
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3]);
}

async fn a_stopped_consumer_takes_no_more_but_can_settle(fixture: QueueFixture) {
    fixture.publish(0..2).await;
    let mut consumer = fixture.consume(2).await;
    let held = next_in_time(&mut *consumer).await;
    consumer.stop().await.expect("stop");
    assert!(matches!(consumer.next().await, Err(QueueError::Closed)));
    let mut other = fixture.consume(2).await;
    assert_eq!(number(&next_in_time(&mut *other).await), 1);
    assert!(held.ack().await.expect("ack"));
    drop(consumer);
    expect_no_delivery(&mut *other).await;
}

async fn a_rejected_message_is_read_from_the_dead_queue_with_its_reason(fixture: QueueFixture) {
    fixture.publish(0..1).await;
    let mut consumer = fixture.consume(1).await;
    let delivery = next_in_time(&mut *consumer).await;
    assert!(delivery.is_live());
    assert!(delivery.reject("it is odd").await.expect("reject"));
    let dead = Queue::Dead(fixture.pipeline.clone());
    let mut reader = fixture.broker.consume(&dead, 1).await.expect("consume");
    let delivery = next_in_time(&mut *reader).await;
    assert_eq!(number(&delivery), 0);
    assert_eq!(delivery.dead_letter_reason.as_deref(), Some("it is odd"));
    assert!(delivery.ack().await.expect("ack"));
    expect_no_delivery(&mut *consumer).await;
}

async fn reports_have_a_single_active_consumer(fixture: QueueFixture) {
    let mut first = fixture.follow(8).await;
    let mut second = fixture.follow(8).await;
    fixture.report(0..4).await;
    for expected in 0..4 {
        let delivery = next_in_time(&mut *first).await;
        assert_eq!(number(&delivery), expected);
        assert!(delivery.ack().await.expect("ack"));
    }
    expect_no_delivery(&mut *second).await;
    first.stop().await.expect("stop");
    fixture.report(4..5).await;
    assert_eq!(number(&next_in_time(&mut *second).await), 4);
}

async fn the_next_consumer_of_reports_begins_with_unsettled_messages(fixture: QueueFixture) {
    let mut first = fixture.follow(8).await;
    let mut second = fixture.follow(8).await;
    fixture.report(0..3).await;
    let held = next_in_time(&mut *first).await;
    assert!(next_in_time(&mut *first).await.ack().await.expect("ack"));
    assert!(!held.lost().is_cancelled());
    drop(first);
    held.lost().cancelled().await;
    for expected in [0, 2] {
        let delivery = next_in_time(&mut *second).await;
        assert_eq!(number(&delivery), expected);
        assert!(delivery.ack().await.expect("ack"));
    }
    assert!(!held.is_live(), "the claim of a consumer that is gone");
}

async fn a_broadcast_reaches_every_listener(fixture: QueueFixture) {
    let name = unique_pipeline();
    fixture
        .broker
        .broadcast(Bytes::from_static(b"0"))
        .await
        .expect("nobody listens");
    let mut one = fixture
        .broker
        .listen(&format!("{name}-1"))
        .await
        .expect("listen");
    let mut other = fixture
        .broker
        .listen(&format!("{name}-2"))
        .await
        .expect("listen");
    // Other tests may broadcast on the same broker.
    fixture
        .broker
        .broadcast(Bytes::from(name.to_string()))
        .await
        .expect("broadcast");
    for listener in [&mut one, &mut other] {
        while next_in_time(&mut **listener).await.body != name.as_str() {}
    }
    let found = async |number| {
        let listener = format!("{name}-{number}");
        let found = fixture.broker.is_listening(&listener).await;
        found.expect("is_listening")
    };
    assert!(found(1).await && found(2).await && !found(3).await);
    drop(one);
    while found(1).await {
        tokio::task::yield_now().await;
    }
    assert!(found(2).await);
}

async fn the_depth_counts_ready_messages_and_consumers(fixture: QueueFixture) {
    fixture.publish(0..3).await;
    let queue = fixture.queue();
    let depth = async || fixture.broker.depth(&queue).await.expect("depth");
    assert_eq!(
        depth().await,
        Depth {
            ready: 3,
            consumers: 0
        }
    );
    let mut consumer = fixture.consume(1).await;
    let _held = next_in_time(&mut *consumer).await;
    assert_eq!(
        depth().await,
        Depth {
            ready: 2,
            consumers: 1
        }
    );
    let unknown = Queue::Datums(unique_pipeline());
    let depth = fixture.broker.depth(&unknown).await;
    assert!(
        matches!(depth, Err(QueueError::Missing { .. })),
        "{depth:?}"
    );
}

async fn purge_keeps_unsettled_messages(fixture: QueueFixture) {
    fixture.publish(0..5).await;
    let mut consumer = fixture.consume(1).await;
    let held = next_in_time(&mut *consumer).await;
    assert_eq!(
        fixture.broker.purge(&fixture.queue()).await.expect("purge"),
        4
    );
    assert!(held.requeue().await.expect("hand-back"));
    let delivery = next_in_time(&mut *consumer).await;
    assert_eq!(number(&delivery), 0);
    assert!(delivery.ack().await.expect("ack"));
    expect_no_delivery(&mut *consumer).await;
}

async fn a_waiting_consumer_is_woken(fixture: QueueFixture) {
    let mut consumer = fixture.consume(1).await;
    let (delivery, ()) = futures::join!(next_in_time(&mut *consumer), fixture.publish(7..8));
    assert_eq!(number(&delivery), 7);
}

async fn a_cancelled_wait_loses_nothing(fixture: QueueFixture) {
    let mut consumer = fixture.consume(8).await;
    for round in 0..50 {
        // Cancelled at any moment of the delivery.
        let time_limit = Duration::from_micros(20 * u64::from(round));
        let (hasty, ()) = futures::join!(
            timeout(time_limit, consumer.next()),
            fixture.publish(round..round + 1)
        );
        let delivery = match hasty {
            Ok(delivery) => delivery.expect("a delivery"),
            Err(_) => next_in_time(&mut *consumer).await,
        };
        assert_eq!(number(&delivery), round);
        assert!(delivery.ack().await.expect("ack"));
    }
}

async fn queues_do_not_mix(fixture: QueueFixture) {
    fixture.publish(0..1).await;
    let reports = Queue::Reports(fixture.pipeline.clone());
    expect_no_delivery(&mut *fixture.broker.consume(&reports, 1).await.expect("consume")).await;
    let other = unique_pipeline();
    fixture.broker.declare(&other).await.expect("declare");
    expect_no_delivery(
        &mut *fixture
            .broker
            .consume(&Queue::Datums(other), 1)
            .await
            .expect("consume"),
    )
    .await;
    assert_eq!(
        number(&next_in_time(&mut *fixture.consume(1).await).await),
        0
    );
}

async fn declaring_again_changes_nothing(fixture: QueueFixture) {
    fixture.publish(0..1).await;
    fixture
        .broker
        .declare(&fixture.pipeline)
        .await
        .expect("declare again");
    assert_eq!(
        number(&next_in_time(&mut *fixture.consume(1).await).await),
        0
    );
}

async fn a_queue_that_was_not_declared_is_missing(fixture: QueueFixture) {
    let unknown = Queue::Datums(unique_pipeline());
    let published = fixture
        .broker
        .publish(&unknown, Bytes::from_static(b"0"))
        .await;
    assert!(
        matches!(published, Err(QueueError::Missing { .. })),
        "{published:?}"
    );
    let consumed = fixture.broker.consume(&unknown, 1).await;
    assert!(
        matches!(consumed, Err(QueueError::Missing { .. })),
        "consumed from no queue"
    );
}

/// The queues of one case.
struct QueueFixture {
    broker: Arc<dyn Broker>,
    pipeline: PipelineName,
}

impl QueueFixture {
    async fn new(make: &impl AsyncFn() -> Arc<dyn Broker>) -> Self {
        let broker = make().await;
        let pipeline = unique_pipeline();
        broker.declare(&pipeline).await.expect("declare");
        Self { broker, pipeline }
    }

    fn queue(&self) -> Queue {
        Queue::Datums(self.pipeline.clone())
    }

    async fn publish(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let body = Bytes::from(number.to_string());
            self.broker
                .publish(&self.queue(), body)
                .await
                .expect("publish");
        }
    }

    async fn report(&self, numbers: std::ops::Range<u32>) {
        let queue = Queue::Reports(self.pipeline.clone());
        for number in numbers {
            let body = Bytes::from(number.to_string());
            self.broker.publish(&queue, body).await.expect("publish");
        }
    }

    async fn follow(&self, prefetch: u16) -> Box<dyn Consumer> {
        let queue = Queue::Reports(self.pipeline.clone());
        self.broker
            .consume(&queue, prefetch)
            .await
            .expect("consume")
    }

    async fn consume(&self, prefetch: u16) -> Box<dyn Consumer> {
        self.broker
            .consume(&self.queue(), prefetch)
            .await
            .expect("consume")
    }

    /// Waits until so many messages wait for a consumer.
    async fn all_ready(&self, count: u64) {
        let counted = async {
            let queue = self.queue();
            while self.broker.depth(&queue).await.expect("depth").ready < count {
                sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, counted)
            .await
            .expect("they are all ready");
    }
}

fn unique_pipeline() -> PipelineName {
    format!("suite-{}", Ulid::generate())
        .parse()
        .expect("a pipeline name")
}

fn number(delivery: &Delivery) -> u32 {
    std::str::from_utf8(&delivery.body)
        .expect("text")
        .parse()
        .expect("a number")
}

async fn next_in_time(consumer: &mut dyn Consumer) -> Delivery {
    timeout(DEADLINE, consumer.next())
        .await
        .expect("a delivery in time")
        .expect("a delivery")
}

async fn expect_no_delivery(consumer: &mut dyn Consumer) {
    let unexpected = timeout(QUIET_TIME, consumer.next()).await;
    assert!(
        unexpected.is_err(),
        "an unexpected delivery: {unexpected:?}"
    );
}
