//! A consumer that outlives its channel and its connection.

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

/// The pause before a consumer that could not be taken up is tried again for a caller who insists.
const PAUSE: Duration = Duration::from_millis(250);

/// A consumer. Everything it does, it does while someone waits for its next delivery.
pub(in crate::queue::rabbitmq) struct RabbitConsumer {
    context: Arc<ConsumerContext>,
    state: ConsumerState,
    /// Gone once it has stopped.
    health: Option<HealthReporter>,
}

/// What it takes to consume.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct ConsumerContext {
    pub(in crate::queue::rabbitmq) connection: Arc<Connection>,
    pub(in crate::queue::rabbitmq) publisher: Arc<MessagePublisher>,
    pub(in crate::queue::rabbitmq) source: Subscription,
}

enum ConsumerState {
    Receiving(ConsumerSession),
    /// Being taken up again; kept here, so that a caller who gives up waiting does not undo what was done.
    Resubscribing {
        since: Instant,
        session: BoxFuture<'static, Result<ConsumerSession, QueueError>>,
    },
    /// What was delivered before can still be settled.
    Stopped {
        _held: Option<ConsumerSession>,
    },
}

/// A consumer on one channel. When it is dropped, the channel is closed and the broker gives what it holds to
/// others.
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

    /// The session is over: lets go of it and begins to make another.
    fn resubscribe_after(&mut self, why: &str) {
        warn!(
            "{} is interrupted: {why}; taking it up again",
            self.context.source
        );
        self.resubscribe(why, Duration::ZERO);
    }

    fn resubscribe(&mut self, why: &str, pause: Duration) {
        if let Some(health) = &self.health {
            health.interrupted(format!("{} is interrupted: {why}", self.context.source));
        }
        self.state = ConsumerState::Resubscribing {
            since: Instant::now(),
            session: Arc::clone(&self.context).session(pause).boxed(),
        };
    }

    fn resubscribed(&mut self, session: ConsumerSession, since: Instant) {
        let source = &self.context.source;
        info!("{source} goes on after {:.1?}", since.elapsed());
        if let Some(health) = &self.health {
            health.receiving(source.to_string(), session.channel.status().clone());
        }
        self.state = ConsumerState::Receiving(session);
    }
}

impl ConsumerContext {
    /// Makes a session, however long it takes; fails only on what trying again does not help.
    async fn session(self: Arc<Self>, pause: Duration) -> Result<ConsumerSession, QueueError> {
        sleep(pause).await;
        let mut delays = RetryDelays::new();
        loop {
            let connection = self.connection.connected().await?;
            match self.source.open(connection).await {
                Ok((channel, deliveries)) => {
                    let dead = self.source.dead_queue();
                    let claim_channel =
                        Arc::new(ClaimChannel::new(Arc::clone(&self.publisher), dead));
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
                    (failure, _) => debug!("{} is not there yet: {failure:?}", self.source),
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
                    // What came before the end of its channel has gone elsewhere already.
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
    /// The next message; nothing once there will be none, also where lapin does not notice.
    async fn next(&mut self) -> Option<lapin::Result<Message>> {
        let status = self.channel.status();
        let next = self.deliveries.next();
        while_connected(|| status.connected(), next).await.flatten()
    }

    /// Takes no more, and hands back what was only sent ahead. Where the channel is gone, so is all that.
    async fn stop(&mut self) {
        let tag = self.deliveries.tag();
        let options = lapin::options::BasicCancelOptions::default();
        let cancelled = self.channel.basic_cancel(tag, options);
        let is_connected = || self.channel.status().connected();
        if let Some(Err(error)) = while_connected(is_connected, cancelled).await {
            debug!("a consumer could not be stopped in good order: {error}");
        }
        // Whatever the broker had sent is here by now.
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
