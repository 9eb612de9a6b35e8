//! A connection that is made again whenever it is lost.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use lapin::Event;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::address::Address;
use super::dialer::{Dialer, Failed};
use super::pause::{self, Pauses};
use crate::queue::{Link, QueueError};

/// Some ends of a connection come without an event, so its state is looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// A connection that is made when it is first needed and then kept: made again whenever it is lost, by one task
/// that ends with it, however many wait for it.
#[derive(Debug)]
pub(super) struct Connection {
    keeper: Arc<Keeper>,
    task: OnceLock<JoinSet<()>>,
}

#[derive(Debug)]
struct Keeper {
    /// For the log: `consuming` or `publishing`.
    purpose: &'static str,
    dialer: Dialer,
    state: watch::Sender<State>,
}

#[derive(Clone, Debug)]
enum State {
    /// Nobody has needed it.
    Idle,
    /// It is being made.
    Down(Failed),
    Up {
        connection: Arc<lapin::Connection>,
        /// Why the broker takes nothing from it for now.
        blocked: Option<String>,
    },
}

impl State {
    fn usable(&self) -> Option<&Arc<lapin::Connection>> {
        match self {
            Self::Up { connection, .. } if connection.status().connected() => Some(connection),
            _ => None,
        }
    }
}

impl Connection {
    pub(super) fn new(purpose: &'static str, dialer: Dialer) -> Self {
        let keeper = Keeper {
            purpose,
            dialer,
            state: watch::Sender::new(State::Idle),
        };
        Self {
            keeper: Arc::new(keeper),
            task: OnceLock::new(),
        }
    }

    /// Waits until it is there for the first time, for at most `patience`; a refusal ends the wait at once.
    pub(super) async fn reached(&self, patience: Duration) -> Result<(), QueueError> {
        let mut state = self.watched();
        let settled = |state: &State| {
            state.usable().is_some() || matches!(state, State::Down(Failed::Refused(_)))
        };
        let _ = timeout(patience, state.wait_for(settled)).await;
        let address = self.keeper.dialer.address();
        match &*state.borrow() {
            State::Down(Failed::Refused(why)) => Err(QueueError::Refused {
                message: format!("{address}: {why}"),
            }),
            State::Down(Failed::Passing(why)) => Err(unreached(address, patience, why)),
            State::Idle => Err(unreached(address, patience, "no answer yet")),
            State::Up { .. } => Ok(()),
        }
    }

    /// The connection, as soon as it is there. Cancel-safe.
    pub(super) async fn live(&self) -> Result<Arc<lapin::Connection>, QueueError> {
        let mut state = self.watched();
        let state = state
            .wait_for(|state| state.usable().is_some())
            .await
            .map_err(|_| QueueError::Closed)?;
        state.usable().map(Arc::clone).ok_or(QueueError::Closed)
    }

    /// How it is; one that nobody has needed is as good as up.
    pub(super) fn link(&self) -> Link {
        match &*self.keeper.state.borrow() {
            State::Down(Failed::Passing(why) | Failed::Refused(why)) => {
                Link::Down { why: why.clone() }
            }
            State::Up { connection, .. } if !connection.status().connected() => Link::Down {
                why: "the connection was lost".to_owned(),
            },
            State::Up {
                connection,
                blocked,
            } if connection.status().blocked() => Link::Blocked {
                why: blocked.clone().unwrap_or_else(|| "an alarm".to_owned()),
            },
            State::Idle | State::Up { .. } => Link::Up,
        }
    }

    fn watched(&self) -> watch::Receiver<State> {
        self.task.get_or_init(|| {
            let mut task = JoinSet::new();
            task.spawn(Arc::clone(&self.keeper).keep());
            task
        });
        self.keeper.state.subscribe()
    }
}

fn unreached(address: &Address, patience: Duration, why: &str) -> QueueError {
    QueueError::Unavailable {
        message: format!(
            "{address} was not reached within {patience:?}: {why}; is it running, and is its URL right?"
        ),
    }
}

impl Keeper {
    async fn keep(self: Arc<Self>) {
        let mut lost = None;
        loop {
            let connection = Arc::new(self.dial(lost).await);
            let events = connection.events_listener();
            let since = Instant::now();
            self.state.send_replace(State::Up {
                connection: Arc::clone(&connection),
                blocked: None,
            });
            let why = self.watch(&connection, events).await;
            warn!(
                "the {} connection to {} was lost: {why}; making it again",
                self.purpose,
                self.dialer.address()
            );
            self.state.send_replace(State::Down(Failed::Passing(why)));
            lost = Some(Instant::now());
            // One that breaks as soon as it is made is not made again in a tight circle.
            sleep(pause::FIRST.saturating_sub(since.elapsed())).await;
        }
    }

    async fn dial(&self, lost: Option<Instant>) -> lapin::Connection {
        let (purpose, address) = (self.purpose, self.dialer.address());
        let mut pauses = Pauses::new();
        let mut said = false;
        loop {
            match self.dialer.dial().await {
                Ok(connection) => {
                    if let Some(lost) = lost {
                        info!(
                            "the {purpose} connection to {address} is back after {:.1?}",
                            lost.elapsed()
                        );
                    }
                    return connection;
                }
                Err(failed) => {
                    self.say(std::mem::replace(&mut said, true), &failed);
                    self.state.send_replace(State::Down(failed));
                    pauses.pause().await;
                }
            }
        }
    }

    /// One line to see, then details on request: a broker's restart takes many attempts.
    fn say(&self, again: bool, failed: &Failed) {
        let (Failed::Passing(why) | Failed::Refused(why)) = failed;
        let (purpose, address) = (self.purpose, self.dialer.address());
        if again {
            debug!("still no {purpose} connection to {address}: {why}");
        } else {
            warn!("no {purpose} connection to {address} yet: {why}; trying again until there is");
        }
    }

    /// Waits for the connection's end; returns why.
    async fn watch(
        &self,
        connection: &lapin::Connection,
        events: impl Stream<Item = Event>,
    ) -> String {
        let mut events = std::pin::pin!(events);
        let mut why = "it was closed".to_owned();
        while connection.status().connected() {
            match timeout(LOOK, events.next()).await {
                Ok(Some(Event::ConnectionBlocked(reason))) => self.blocked(Some(reason)),
                Ok(Some(Event::ConnectionUnblocked)) => self.blocked(None),
                // Of a channel, unless the connection went too.
                Ok(Some(Event::Error(error))) => why = error.to_string(),
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => break,
            }
        }
        why
    }

    fn blocked(&self, reason: Option<String>) {
        let address = self.dialer.address();
        if let Some(reason) = &reason {
            warn!(
                "the broker {address} takes no messages for now: {reason}; what is published waits"
            );
        } else {
            info!("the broker {address} takes messages again");
        }
        self.state.send_modify(|state| {
            if let State::Up { blocked, .. } = state {
                *blocked = reason;
            }
        });
    }
}
