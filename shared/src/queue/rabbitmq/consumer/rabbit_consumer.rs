//! A consumer that survives the loss of its channel and connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::claim::{self, ClaimChannel};
use super::health::HealthReporter;
use super::subscription::Subscription;
use crate::queue::rabbitmq::connection::Connection;
use crate::queue::rabbitmq::error::BrokerFailure;
use crate::queue::rabbitmq::liveness::while_connected;
use crate::queue::rabbitmq::publisher::MessagePublisher;
use crate::queue::rabbitmq::retry::RetryDelays;
use crate::queue::{Consumer, Delivery, QueueError};

/// Delay before a failed subscription is retried for a caller that keeps asking.
const PAUSE: Duration = Duration::from_millis(250);

/// A consumer. All work happens while a caller waits for the next delivery.
pub(in crate::queue::rabbitmq) struct RabbitConsumer {
    context: Arc<ConsumerContext>,
    state: ConsumerState,
    /// None after the consumer has stopped.
    health: Option<HealthReporter>,
}

/// Dependencies of a consumer.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct ConsumerContext {
    pub(in crate::queue::rabbitmq) connection: Arc<Connection>,
    pub(in crate::queue::rabbitmq) publisher: Arc<MessagePublisher>,
    pub(in crate::queue::rabbitmq) source: Subscription,
}

enum ConsumerState {
    Receiving(ConsumerSession),
    /// Subscribing again. The future is kept here so a cancelled caller loses no progress.
    Resubscribing {
        since: Instant,
        session: BoxFuture<'static, Result<ConsumerSession, QueueError>>,
    },
    /// Earlier deliveries can still be settled.
    Stopped {
        _held: Option<ConsumerSession>,
    },
}

/// A consumer on one channel. Dropping the session closes the channel, and the broker requeues the unsettled
/// deliveries.
struct ConsumerSession {
    channel: lapin::Channel,
    deliveries: lapin::Consumer,
    claim_channel: Arc<ClaimChannel>,
}

impl RabbitConsumer {
    /// Starts to consume.
    pub(in crate::queue::rabbitmq) async fn open(
        context: ConsumerContext,
        health: HealthReporter,
    ) -> Result<Self, QueueError> {
        let context = Arc::new(context);
        let session = Arc::clone(&context).session(Duration::ZERO).await?;
        health.receiving(context.source.to_string(), session.channel.status().clone());
        Ok(Self {
            context,
            state: ConsumerState::Receiving(session),
            health: Some(health),
        })
    }

    /// Drops the broken session and begins a new subscription.
    fn resubscribe_after(&mut self, why: &str) {
        warn!(
            "{} was interrupted: {why}; subscribing again",
            self.context.source
        );
        self.resubscribe(why, Duration::ZERO);
    }

    fn resubscribe(&mut self, why: &str, pause: Duration) {
        if let Some(health) = &self.health {
            health.interrupted(format!("{} was interrupted: {why}", self.context.source));
        }
        self.state = ConsumerState::Resubscribing {
            since: Instant::now(),
            session: Arc::clone(&self.context).session(pause).boxed(),
        };
    }

    fn resubscribed(&mut self, session: ConsumerSession, since: Instant) {
        let source = &self.context.source;
        info!("{source} was resumed after {:.1?}", since.elapsed());
        if let Some(health) = &self.health {
            health.receiving(source.to_string(), session.channel.status().clone());
        }
        self.state = ConsumerState::Receiving(session);
    }
}

impl ConsumerContext {
    /// Subscribes, however long the retries take; fails only where a retry does not help.
    async fn session(self: Arc<Self>, pause: Duration) -> Result<ConsumerSession, QueueError> {
        sleep(pause).await;
        let mut delays = RetryDelays::new();
        loop {
            let connection = self.connection.connected().await?;
            match self.source.open(connection).await {
                Ok((channel, deliveries)) => {
                    let dead = self.source.dead_queue();
                    let claim_channel = ClaimChannel::new(Arc::clone(&self.publisher), dead);
                    claim_channel.watch(channel.status().clone());
                    let claim_channel = Arc::new(claim_channel);
                    return Ok(ConsumerSession {
                        channel,
                        deliveries,
                        claim_channel,
                    });
                }
                Err(failure) => match (failure, self.source.queue()) {
                    (BrokerFailure::Refused(message), _) => {
                        return Err(QueueError::Refused { message });
                    }
                    (BrokerFailure::QueueMissing, Some(queue)) => {
                        let queue = queue.clone();
                        return Err(QueueError::Missing { queue });
                    }
                    (failure, _) => debug!("{} failed, retrying: {failure:?}", self.source),
                },
            }
            delays.wait().await;
        }
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        loop {
            match &mut self.state {
                ConsumerState::Receiving(session) => match session.next().await {
                    // The channel has closed, so the broker has requeued the message already.
                    Some(Ok(message)) if message.acker.poisoned() => {}
                    Some(Ok(message)) => {
                        return Ok(match self.context.source {
                            Subscription::Queue { .. } => {
                                claim::delivery(message, &session.claim_channel)
                            }
                            Subscription::Broadcast { .. } => claim::broadcast_delivery(message),
                        });
                    }
                    Some(Err(error)) => self.resubscribe_after(&error.to_string()),
                    None => self.resubscribe_after("the broker ended it"),
                },
                ConsumerState::Resubscribing { since, session } => match session.await {
                    Ok(session) => {
                        let since = *since;
                        self.resubscribed(session, since);
                    }
                    Err(error) => {
                        self.resubscribe(&error.to_string(), PAUSE);
                        return Err(error);
                    }
                },
                ConsumerState::Stopped { .. } => return Err(QueueError::Closed),
            }
        }
    }

    async fn stop(&mut self) -> Result<(), QueueError> {
        self.health = None;
        let state = std::mem::replace(&mut self.state, ConsumerState::Stopped { _held: None });
        self.state = match state {
            ConsumerState::Receiving(session) => ConsumerState::Stopped {
                _held: Some(session),
            },
            ConsumerState::Resubscribing { .. } => ConsumerState::Stopped { _held: None },
            stopped @ ConsumerState::Stopped { .. } => stopped,
        };
        if let ConsumerState::Stopped {
            _held: Some(session),
        } = &mut self.state
        {
            session.stop().await;
        }
        Ok(())
    }
}

impl ConsumerSession {
    /// The next message; none once the channel has closed, also where lapin does not notice.
    async fn next(&mut self) -> Option<lapin::Result<Message>> {
        let status = self.channel.status();
        let next = self.deliveries.next();
        while_connected(|| status.connected(), next).await.flatten()
    }

    /// Cancels the subscription and requeues prefetched messages. A closed channel has requeued them already.
    async fn stop(&mut self) {
        let tag = self.deliveries.tag();
        let options = lapin::options::BasicCancelOptions::default();
        let cancelled = self.channel.basic_cancel(tag, options);
        let is_connected = || self.channel.status().connected();
        if let Some(Err(error)) = while_connected(is_connected, cancelled).await {
            debug!("the cancellation of a consumer failed: {error}");
        }
        // The broker sent every prefetched message before the answer to the cancellation.
        let mut ahead = Vec::new();
        while let Some(Some(Ok(message))) = self.deliveries.next().now_or_never() {
            ahead.push(message);
        }
        join_all(ahead.iter().map(|message| claim::requeue(&message.acker))).await;
    }
}

impl Drop for ConsumerSession {
    fn drop(&mut self) {
        self.claim_channel.end();
    }
}

impl std::fmt::Debug for RabbitConsumer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "RabbitConsumer({})", self.context.source)
    }
}
