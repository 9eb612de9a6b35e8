//! A consumer that outlives its channel and its connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, StreamExt};
use lapin::message::Delivery as Message;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::alive::while_alive;
use super::claim::{self, Tenure};
use super::connection::Connection;
use super::outbox::Outbox;
use super::pause::Pauses;
use super::source::Source;
use super::status::Pulse;
use super::trouble::Trouble;
use crate::queue::{Consumer, Delivery, QueueError};

/// The pause before a consumer that could not be taken up is tried again for a caller who insists.
const PAUSE: Duration = Duration::from_millis(250);

/// A consumer. Everything it does, it does while someone waits for its next delivery.
pub(super) struct Inbox {
    tools: Arc<Tools>,
    flow: Flow,
    /// Gone once it has stopped.
    pulse: Option<Pulse>,
}

/// What it takes to consume.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) connection: Arc<Connection>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) source: Source,
}

enum Flow {
    Live(Session),
    /// Being taken up again; kept here, so that a caller who gives up waiting does not undo what was done.
    Healing {
        since: Instant,
        session: BoxFuture<'static, Result<Session, QueueError>>,
    },
    /// What was delivered before can still be settled.
    Stopped {
        _held: Option<Session>,
    },
}

/// A consumer on one channel. When it is dropped, the channel is closed and the broker gives what it holds to
/// others.
struct Session {
    channel: lapin::Channel,
    deliveries: lapin::Consumer,
    tenure: Arc<Tenure>,
}

impl Inbox {
    /// Starts to consume.
    pub(super) async fn open(tools: Tools, pulse: Pulse) -> Result<Self, QueueError> {
        let tools = Arc::new(tools);
        let session = Arc::clone(&tools).session(Duration::ZERO).await?;
        pulse.well(tools.source.to_string(), session.channel.status().clone());
        Ok(Self {
            tools,
            flow: Flow::Live(session),
            pulse: Some(pulse),
        })
    }

    /// The session is over: lets go of it and begins to make another.
    fn lost(&mut self, why: &str) {
        warn!(
            "{} is interrupted: {why}; taking it up again",
            self.tools.source
        );
        self.heal(why, Duration::ZERO);
    }

    fn heal(&mut self, why: &str, pause: Duration) {
        if let Some(pulse) = &self.pulse {
            pulse.ailing(format!("{} is interrupted: {why}", self.tools.source));
        }
        self.flow = Flow::Healing {
            since: Instant::now(),
            session: Arc::clone(&self.tools).session(pause).boxed(),
        };
    }

    fn healed(&mut self, session: Session, since: Instant) {
        let source = &self.tools.source;
        info!("{source} goes on after {:.1?}", since.elapsed());
        if let Some(pulse) = &self.pulse {
            pulse.well(source.to_string(), session.channel.status().clone());
        }
        self.flow = Flow::Live(session);
    }
}

impl Tools {
    /// Makes a session, however long it takes; fails only on what trying again does not help.
    async fn session(self: Arc<Self>, pause: Duration) -> Result<Session, QueueError> {
        sleep(pause).await;
        let mut pauses = Pauses::new();
        loop {
            let connection = self.connection.live().await?;
            match self.source.open(connection).await {
                Ok((channel, deliveries)) => {
                    let dead = self.source.dead_queue();
                    let tenure = Arc::new(Tenure::new(Arc::clone(&self.outbox), dead));
                    return Ok(Session {
                        channel,
                        deliveries,
                        tenure,
                    });
                }
                Err(trouble) => match (trouble, self.source.queue()) {
                    (Trouble::Refused(message), _) => return Err(QueueError::Refused { message }),
                    (Trouble::Missing, Some(queue)) => {
                        let queue = queue.clone();
                        return Err(QueueError::Missing { queue });
                    }
                    (trouble, _) => debug!("{} is not there yet: {trouble:?}", self.source),
                },
            }
            pauses.pause().await;
        }
    }
}

#[async_trait]
impl Consumer for Inbox {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        loop {
            match &mut self.flow {
                Flow::Live(session) => match session.next().await {
                    // What came before the end of its channel has gone elsewhere already.
                    Some(Ok(message)) if message.acker.poisoned() => {}
                    Some(Ok(message)) => {
                        return Ok(match self.tools.source {
                            Source::Queue { .. } => claim::delivery(message, &session.tenure),
                            Source::Control { .. } => claim::heard(message),
                        });
                    }
                    Some(Err(error)) => self.lost(&error.to_string()),
                    None => self.lost("the broker ended it"),
                },
                Flow::Healing { since, session } => match session.await {
                    Ok(session) => {
                        let since = *since;
                        self.healed(session, since);
                    }
                    Err(error) => {
                        self.heal(&error.to_string(), PAUSE);
                        return Err(error);
                    }
                },
                Flow::Stopped { .. } => return Err(QueueError::Closed),
            }
        }
    }

    async fn stop(&mut self) -> Result<(), QueueError> {
        self.pulse = None;
        let flow = std::mem::replace(&mut self.flow, Flow::Stopped { _held: None });
        self.flow = match flow {
            Flow::Live(session) => Flow::Stopped {
                _held: Some(session),
            },
            Flow::Healing { .. } => Flow::Stopped { _held: None },
            stopped @ Flow::Stopped { .. } => stopped,
        };
        if let Flow::Stopped {
            _held: Some(session),
        } = &mut self.flow
        {
            session.stop().await;
        }
        Ok(())
    }
}

impl Session {
    /// The next message; nothing once there will be none, also where lapin does not notice.
    async fn next(&mut self) -> Option<lapin::Result<Message>> {
        let status = self.channel.status();
        let next = self.deliveries.next();
        while_alive(|| status.connected(), next).await.flatten()
    }

    /// Takes no more, and hands back what was only sent ahead. Where the channel is gone, so is all that.
    async fn stop(&mut self) {
        let tag = self.deliveries.tag();
        let options = lapin::options::BasicCancelOptions::default();
        let cancelled = self.channel.basic_cancel(tag, options);
        let is_alive = || self.channel.status().connected();
        if let Some(Err(error)) = while_alive(is_alive, cancelled).await {
            debug!("a consumer could not be stopped in good order: {error}");
        }
        // Whatever the broker had sent is here by now.
        let mut ahead = Vec::new();
        while let Some(Some(Ok(message))) = self.deliveries.next().now_or_never() {
            ahead.push(message);
        }
        join_all(ahead.iter().map(|message| claim::give_back(&message.acker))).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tenure.end();
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Inbox({})", self.tools.source)
    }
}
