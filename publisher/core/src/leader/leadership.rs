//! Leadership of a pipeline: the current process is the one consumer of the reports queue that the broker serves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, Delivery, Queue, QueueError};
use drover_shared::wire::{LeaderToken, Message, decode, encode};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use crate::coordinator::REPORTS;

/// A leader token is renewed after the time, well below the half hour after which brokers take back an unacked message.
const RENEW_EVERY: Duration = Duration::from_mins(5);

/// Interval between two checks of the leader token.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The reports of a pipeline, without the leader tokens, which are handled here. Dropping the leadership releases it.
pub(super) struct Leadership {
    broker: Arc<dyn Broker>,
    pipeline: PipelineName,
    me: String,
    reports: Box<dyn Consumer>,
    token: TokenState,
    /// A report that arrived before any token.
    first: Option<Delivery>,
    /// Publishes and acks of tokens under way. A caller may drop [`Consumer::next`] at any time, so they live here.
    under_way: FuturesUnordered<BoxFuture<'static, Result<(), QueueError>>>,
    check_at: Instant,
    renew_at: Instant,
}

/// State of the leader token.
enum TokenState {
    /// No token has arrived yet.
    Missing,
    /// The token is held unacked, unless its channel has closed meanwhile.
    Held(Delivery),
    /// The channel of the token closed, and a new token was published. The broker redelivers the old one first, if the
    /// broker still has it.
    Lost,
}

impl Leadership {
    /// Waits for the leadership: the broker serves one consumer at a time, so any delivery proves it. `me` names this
    /// process for people.
    ///
    /// Nothing is acked here. If the current process freezes before its epoch begins, the leadership may return to the
    /// predecessor, which would miss the acked reports.
    pub(super) async fn acquire(
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
            token: TokenState::Missing,
            first: None,
            under_way: FuturesUnordered::new(),
            check_at: Instant::now(),
            renew_at: Instant::now(),
        };
        while matches!(leadership.token, TokenState::Missing) && leadership.first.is_none() {
            leadership.first = leadership.step().await?;
        }
        Ok(leadership)
    }

    /// The next report; none after anything else. Cancel-safe.
    async fn step(&mut self) -> Result<Option<Delivery>, QueueError> {
        tokio::select! {
            biased;
            Some(done) = self.under_way.next() => done.map(|()| None),
            delivery = self.reports.next() => {
                let delivery = delivery?;
                if matches!(decode(&delivery.body), Ok(Message::LeaderToken(_))) {
                    self.hold(delivery)?;
                    return Ok(None);
                }
                Ok(Some(delivery))
            }
            () = sleep_until(self.check_at) => {
                self.check_at = Instant::now() + CHECK_EVERY;
                self.check_token()?;
                Ok(None)
            }
        }
    }

    /// Publishes a new token if the present one is lost or old.
    fn check_token(&mut self) -> Result<(), QueueError> {
        let is_lost = matches!(&self.token, TokenState::Held(token) if !token.is_live());
        if is_lost {
            self.token = TokenState::Lost;
        }
        if is_lost || self.renew_at <= Instant::now() {
            self.renew_at = Instant::now() + RENEW_EVERY;
            self.publish_token()?;
        }
        Ok(())
    }

    /// Holds the newest token, and acks the older one. A new token in place of a redelivered one tells that the broker
    /// has lost its messages, those of the job included.
    fn hold(&mut self, token: Delivery) -> Result<(), QueueError> {
        let is_new = token.redeliveries == 0;
        match std::mem::replace(&mut self.token, TokenState::Held(token)) {
            TokenState::Held(older) if older.is_live() => {
                self.under_way
                    .push(Box::pin(async move { older.ack().await.map(drop) }));
                Ok(())
            }
            TokenState::Held(_) | TokenState::Lost if is_new => Err(QueueError::Unavailable {
                message: format!("it came back without the messages of {}", self.pipeline),
            }),
            TokenState::Held(_) | TokenState::Lost | TokenState::Missing => Ok(()),
        }
    }

    fn publish_token(&self) -> Result<(), QueueError> {
        let token = Message::LeaderToken(LeaderToken {
            from: self.me.clone(),
        });
        let body = encode(&token).map_err(|error| QueueError::Unavailable {
            message: error.to_string(),
        })?;
        let (broker, queue) = (
            Arc::clone(&self.broker),
            Queue::Reports(self.pipeline.clone()),
        );
        self.under_way
            .push(Box::pin(async move { broker.publish(&queue, body).await }));
        Ok(())
    }
}

#[async_trait]
impl Consumer for Leadership {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        loop {
            if let Some(report) = self.step().await? {
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
    use std::sync::atomic::{AtomicU32, Ordering};

    use bytes::Bytes;
    use drover_shared::queue::{Depth, Embedded, Link};
    use tokio::sync::watch;
    use tokio::time::{sleep, timeout};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// A broker with losable channels and messages.
    struct Fragile {
        inner: watch::Sender<Arc<Embedded>>,
        /// Time until a message is confirmed.
        confirm_after: Duration,
        published: AtomicU32,
    }

    impl Fragile {
        /// Such a broker, and a leadership on it.
        async fn with_leadership(pipeline: &PipelineName) -> (Arc<Self>, Leadership) {
            Self::with_slow_confirms(pipeline, Duration::ZERO).await
        }

        async fn with_slow_confirms(
            pipeline: &PipelineName,
            confirm_after: Duration,
        ) -> (Arc<Self>, Leadership) {
            let first = Arc::new(Embedded::new(9));
            let broker = Arc::new(Self {
                inner: watch::Sender::new(first),
                confirm_after,
                published: AtomicU32::new(0),
            });
            let leadership = Leadership::acquire(broker.clone(), pipeline, "me").await;
            (broker, leadership.unwrap())
        }

        fn inner(&self) -> Arc<Embedded> {
            Arc::clone(&self.inner.borrow())
        }

        /// The channels of all consumers are lost.
        fn restart(&self) {
            self.inner.send_replace(self.inner());
        }

        /// So is everything else; somebody has declared the queues again.
        async fn lose_everything(&self, pipeline: &PipelineName) {
            let empty = Arc::new(Embedded::new(9));
            empty.declare(pipeline).await.unwrap();
            self.inner.send_replace(empty);
        }
    }

    #[async_trait]
    impl Broker for Fragile {
        async fn declare(&self, pipeline: &PipelineName) -> Result<(), QueueError> {
            self.inner().declare(pipeline).await
        }

        async fn publish(&self, queue: &Queue, body: Bytes) -> Result<(), QueueError> {
            self.published.fetch_add(1, Ordering::Relaxed);
            self.inner().publish(queue, body).await?;
            sleep(self.confirm_after).await;
            Ok(())
        }

        async fn consume(
            &self,
            queue: &Queue,
            prefetch: u16,
        ) -> Result<Box<dyn Consumer>, QueueError> {
            Ok(Box::new(FragileConsumer {
                queue: queue.clone(),
                prefetch,
                brokers: self.inner.subscribe(),
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

    /// Waits for this report, as a coordinator does: it has other things to do, and gives up again and again.
    async fn hears(leadership: &mut Leadership, report: &str) {
        loop {
            let hasty = timeout(CHECK_EVERY / 7, leadership.next()).await;
            let Ok(next) = hasty else { continue };
            let next = next.unwrap();
            assert_eq!(next.body, report);
            next.ack().await.unwrap();
            return;
        }
    }

    #[tokio::test]
    async fn a_candidate_that_dies_before_its_epoch_has_acked_no_report() {
        let broker: Arc<dyn Broker> = Arc::new(Embedded::new(9));
        let pipeline = pipeline();
        broker.declare(&pipeline).await.unwrap();
        let queue = Queue::Reports(pipeline.clone());
        for report in ["one", "two"] {
            broker.publish(&queue, report.into()).await.unwrap();
        }
        let frozen = Leadership::acquire(Arc::clone(&broker), &pipeline, "frozen").await;
        drop(frozen.unwrap());
        let mut leadership = Leadership::acquire(broker, &pipeline, "next")
            .await
            .unwrap();
        for report in ["one", "two"] {
            timeout(SOON, hears(&mut leadership, report))
                .await
                .expect("it was answered by the one before");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_gets_its_token_back_goes_on() {
        let pipeline = pipeline();
        let (broker, mut leadership) = Fragile::with_leadership(&pipeline).await;
        let queue = Queue::Reports(pipeline);
        for report in ["one", "two", "three"] {
            broker.restart();
            let later = async {
                sleep(CHECK_EVERY * 3).await;
                broker.publish(&queue, report.into()).await.unwrap();
            };
            futures::future::join(hears(&mut leadership, report), later).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_does_not_get_its_token_back_learns_of_the_loss() {
        let pipeline = pipeline();
        let (broker, mut leadership) = Fragile::with_leadership(&pipeline).await;
        broker.lose_everything(&pipeline).await;
        let error = timeout(SOON, leadership.next())
            .await
            .expect("it learns of it");
        let error = error.map(|report| report.body);
        let error = error.expect_err("there is no report").to_string();
        assert!(error.ends_with("without the messages of p"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_confirms_do_not_multiply_the_tokens() {
        let pipeline = pipeline();
        let slow = Duration::from_secs(30);
        let (broker, mut leadership) = Fragile::with_slow_confirms(&pipeline, slow).await;
        for _ in 0..200 {
            let hasty = timeout(CHECK_EVERY / 7, leadership.next()).await;
            assert!(hasty.is_err(), "there is no report");
        }
        assert_eq!(broker.published.load(Ordering::Relaxed), 1);
    }
}
