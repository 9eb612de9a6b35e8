//! Leadership of a pipeline: the subscription to its reports, which the broker serves to one process at a time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, Delivery, Queue, QueueError};
use drover_shared::wire::{LeaderToken, Message, decode, encode};
use tokio::time::{Instant, sleep_until};

use crate::coordinator::REPORTS;

/// Interval of renewing the token: well below the half hour after which a broker takes an unacked message away
/// (`consumer_timeout`).
const RENEW_EVERY: Duration = Duration::from_mins(5);

/// Interval of checking that the token's channel is open.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The reports of a pipeline; leader tokens are handled inside. Dropping the leadership releases the token.
pub(super) struct Leadership {
    broker: Arc<dyn Broker>,
    pipeline: PipelineName,
    me: String,
    reports: Box<dyn Consumer>,
    held: HeldToken,
    /// A report that was delivered before any token.
    first: Option<Delivery>,
    /// Time of the next check of the token.
    look: Instant,
    renew: Instant,
}

/// State of the leader token.
enum HeldToken {
    /// No token was delivered yet.
    Empty,
    /// The token is held unacked, unless its channel closed.
    LeaderToken(Delivery),
    /// Our channel closed and a new token was published; the broker redelivers the old one first, if it still has it.
    Lost,
}

impl Leadership {
    /// Waits for the leadership: any delivery proves that the broker serves this process. `me` names the process to people.
    ///
    /// No report is acked here. If this process freezes before its epoch begins, the leadership may return to the
    /// predecessor, which would miss reports that were acked here.
    pub(super) async fn take(
        broker: Arc<dyn Broker>,
        pipeline: &PipelineName,
        me: &str,
    ) -> Result<Self, QueueError> {
        broker.declare(pipeline).await?;
        let queue = Queue::Reports(pipeline.clone());
        let reports = broker.consume(&queue, REPORTS).await?;
        let mut leadership = Self {
            broker,
            pipeline: pipeline.clone(),
            me: me.to_owned(),
            reports,
            held: HeldToken::Empty,
            first: None,
            look: Instant::now(),
            renew: Instant::now(),
        };
        while matches!(leadership.held, HeldToken::Empty) && leadership.first.is_none() {
            leadership.first = leadership.look().await?;
        }
        Ok(leadership)
    }

    /// The next report; none after a token, or after a check of the token. Cancel-safe.
    async fn look(&mut self) -> Result<Option<Delivery>, QueueError> {
        tokio::select! {
            biased;
            delivery = self.reports.next() => {
                let delivery = delivery?;
                if matches!(decode(&delivery.body), Ok(Message::LeaderToken(_))) {
                    self.keep(delivery).await?;
                    return Ok(None);
                }
                Ok(Some(delivery))
            }
            () = sleep_until(self.look) => {
                self.check_token().await?;
                self.look = Instant::now() + LOOK_EVERY;
                Ok(None)
            }
        }
    }

    async fn check_token(&mut self) -> Result<(), QueueError> {
        let lost = matches!(&self.held, HeldToken::LeaderToken(token) if !token.is_live());
        if lost || self.renew <= Instant::now() {
            self.publish_token().await?;
            self.renew = Instant::now() + RENEW_EVERY;
        }
        if lost {
            self.held = HeldToken::Lost;
        }
        Ok(())
    }

    /// Holds the newest token and acks the older one. A new token in place of the redelivered old one proves that the
    /// broker lost its messages, and the published datums with them.
    async fn keep(&mut self, token: Delivery) -> Result<(), QueueError> {
        let is_new = token.redeliveries == 0;
        match std::mem::replace(&mut self.held, HeldToken::LeaderToken(token)) {
            HeldToken::LeaderToken(older) if older.is_live() => older.ack().await.map(drop),
            HeldToken::LeaderToken(_) | HeldToken::Lost if is_new => Err(QueueError::Unavailable {
                message: format!(
                    "the broker came back without the messages of {}",
                    self.pipeline
                ),
            }),
            HeldToken::LeaderToken(_) | HeldToken::Lost | HeldToken::Empty => Ok(()),
        }
    }

    async fn publish_token(&mut self) -> Result<(), QueueError> {
        let token = Message::LeaderToken(LeaderToken {
            from: self.me.clone(),
        });
        match encode(&token) {
            Ok(body) => {
                let queue = Queue::Reports(self.pipeline.clone());
                self.broker.publish(&queue, body).await
            }
            Err(error) => Err(QueueError::Unavailable {
                message: error.to_string(),
            }),
        }
    }
}

#[async_trait]
impl Consumer for Leadership {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        loop {
            if let Some(report) = self.look().await? {
                return Ok(report);
            }
        }
    }

    async fn stop(&mut self) -> Result<(), QueueError> {
        self.reports.stop().await
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use drover_shared::queue::{Depth, Embedded, Link};
    use tokio::sync::watch;
    use tokio::time::{sleep, timeout};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// A broker whose consumers reconnect, to the same queues or to those of another broker.
    struct Fragile(watch::Sender<Arc<Embedded>>);

    impl Fragile {
        /// A fragile broker and a leadership on it.
        async fn with_a_seat(pipeline: &PipelineName) -> (Arc<Self>, Leadership) {
            let first = Arc::new(Embedded::new(9));
            let broker = Arc::new(Self(watch::Sender::new(first)));
            let leadership = Leadership::take(broker.clone(), pipeline, "me").await;
            (broker, leadership.unwrap())
        }

        fn inner(&self) -> Arc<Embedded> {
            Arc::clone(&self.0.borrow())
        }

        /// Closes the channels of all consumers.
        fn restart(&self) {
            self.0.send_replace(self.inner());
        }

        /// Loses all messages as well; another process has declared the queues again.
        async fn lose_everything(&self, pipeline: &PipelineName) {
            let empty = Arc::new(Embedded::new(9));
            empty.declare(pipeline).await.unwrap();
            self.0.send_replace(empty);
        }
    }

    #[async_trait]
    impl Broker for Fragile {
        async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError> {
            self.inner().declare(pipeline).await
        }

        async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError> {
            self.inner().publish(queue, body).await
        }

        async fn consume(
            &self,
            queue: &Queue,
            prefetch: u16,
        ) -> Result<Box<dyn Consumer>, QueueError> {
            Ok(Box::new(FragileConsumer {
                queue: queue.clone(),
                prefetch,
                brokers: self.0.subscribe(),
                consumer: self.inner().consume(queue, prefetch).await?,
            }))
        }

        async fn broadcast(&self, hint: Bytes) -> Result<(), QueueError> {
            self.inner().broadcast(hint).await
        }

        async fn listen(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
            self.inner().listen(name).await
        }

        async fn is_listening(&self, name: &str) -> Result<bool, QueueError> {
            self.inner().is_listening(name).await
        }

        async fn depth(&self, queue: &Queue) -> Result<Depth, QueueError> {
            self.inner().depth(queue).await
        }

        async fn purge(&self, queue: &Queue) -> Result<u64, QueueError> {
            self.inner().purge(queue).await
        }

        fn link(&self) -> Link {
            self.inner().link()
        }
    }

    struct FragileConsumer {
        queue: Queue,
        prefetch: u16,
        brokers: watch::Receiver<Arc<Embedded>>,
        consumer: Box<dyn Consumer>,
    }

    #[async_trait]
    impl Consumer for FragileConsumer {
        async fn next(&mut self) -> Result<Delivery, QueueError> {
            loop {
                tokio::select! {
                    delivery = self.consumer.next() => return delivery,
                    Ok(()) = self.brokers.changed() => {
                        self.consumer.stop().await?;
                        let broker = Arc::clone(&self.brokers.borrow_and_update());
                        self.consumer = broker.consume(&self.queue, self.prefetch).await?;
                    }
                }
            }
        }

        async fn stop(&mut self) -> Result<(), QueueError> {
            self.consumer.stop().await
        }
    }

    fn pipeline() -> PipelineName {
        "p".parse().unwrap()
    }

    /// Waits for the report as a coordinator does, whose waits are cancelled again and again.
    async fn hears(leadership: &mut Leadership, report: &str) {
        loop {
            let hasty = timeout(LOOK_EVERY / 7, leadership.next()).await;
            let Ok(next) = hasty else { continue };
            let next = next.unwrap();
            assert_eq!(next.body, report);
            next.ack().await.unwrap();
            return;
        }
    }

    #[tokio::test]
    async fn a_candidate_that_goes_before_its_reign_has_answered_no_report() {
        let broker: Arc<dyn Broker> = Arc::new(Embedded::new(9));
        let pipeline = pipeline();
        broker.declare(&pipeline).await.unwrap();
        let queue = Queue::Reports(pipeline.clone());
        for report in ["one", "two"] {
            broker.publish(&queue, report.into()).await.unwrap();
        }
        let frozen = Leadership::take(Arc::clone(&broker), &pipeline, "frozen").await;
        drop(frozen.unwrap());
        let mut leadership = Leadership::take(broker, &pipeline, "next").await.unwrap();
        for report in ["one", "two"] {
            timeout(SOON, hears(&mut leadership, report))
                .await
                .expect("it was answered by the one before");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_the_baton_back_goes_on() {
        let pipeline = pipeline();
        let (broker, mut leadership) = Fragile::with_a_seat(&pipeline).await;
        let queue = Queue::Reports(pipeline);
        for report in ["one", "two", "three"] {
            broker.restart();
            let later = async {
                sleep(LOOK_EVERY * 3).await;
                broker.publish(&queue, report.into()).await.unwrap();
            };
            futures::future::join(hears(&mut leadership, report), later).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_get_the_baton_back_learns_that_everything_is_lost() {
        let pipeline = pipeline();
        let (broker, mut leadership) = Fragile::with_a_seat(&pipeline).await;
        broker.lose_everything(&pipeline).await;
        let error = timeout(SOON, leadership.next())
            .await
            .expect("it learns of it");
        let error = error.map(|report| report.body);
        let error = error.expect_err("there is no report").to_string();
        assert!(error.ends_with("without the messages of p"), "{error}");
    }
}
