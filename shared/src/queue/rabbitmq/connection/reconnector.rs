//! A connection that is re-established after every loss.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use deadpool::managed::Manager as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::address::Address;
use super::connector::BrokerConnector;
use super::endpoint_connector::ConnectError;
use super::watch::watch_until_lost;
use crate::queue::rabbitmq::retry::{FIRST_DELAY, RetryDelays};
use crate::queue::{Link, QueueError};

/// A connection that is established on first use and re-established after every loss. A single task does so for any
/// number of waiting callers, and ends with the value.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct Connection {
    reconnector: Arc<Reconnector>,
    task: OnceLock<JoinSet<()>>,
}

#[derive(Debug)]
struct Reconnector {
    connector: BrokerConnector,
    state: watch::Sender<ConnectionState>,
}

#[derive(Clone, Debug)]
enum ConnectionState {
    /// Not used yet.
    Idle,
    /// Connecting.
    Down(ConnectError),
    Up(Arc<lapin::Connection>),
}

impl ConnectionState {
    fn usable(&self) -> Option<&Arc<lapin::Connection>> {
        match self {
            Self::Up(connection) if connection.status().connected() => Some(connection),
            _ => None,
        }
    }
}

impl Connection {
    pub(in crate::queue::rabbitmq) fn new(connector: BrokerConnector) -> Self {
        let reconnector = Reconnector {
            connector,
            state: watch::Sender::new(ConnectionState::Idle),
        };
        Self {
            reconnector: Arc::new(reconnector),
            task: OnceLock::new(),
        }
    }

    /// Waits for the first connection, for at most `time_limit`; a refusal ends the wait at once.
    pub(in crate::queue::rabbitmq) async fn wait_until_connected(
        &self,
        time_limit: Duration,
    ) -> Result<(), QueueError> {
        let mut state = self.watched();
        let settled = |state: &ConnectionState| {
            state.usable().is_some()
                || matches!(state, ConnectionState::Down(ConnectError::Refused(_)))
        };
        let _ = timeout(time_limit, state.wait_for(settled)).await;
        let address = self.reconnector.connector.address();
        match &*state.borrow() {
            ConnectionState::Down(ConnectError::Refused(why)) => Err(QueueError::Refused {
                message: format!("{address}: {why}"),
            }),
            ConnectionState::Down(ConnectError::Transient(why)) => {
                Err(not_connected(address, time_limit, why))
            }
            ConnectionState::Idle => Err(not_connected(address, time_limit, "no answer yet")),
            ConnectionState::Up(_) => Ok(()),
        }
    }

    /// The connection, once established. Cancel-safe.
    pub(in crate::queue::rabbitmq) async fn connected(
        &self,
    ) -> Result<Arc<lapin::Connection>, QueueError> {
        let mut state = self.watched();
        let state = state
            .wait_for(|state| state.usable().is_some())
            .await
            .map_err(|_| QueueError::Closed)?;
        state.usable().map(Arc::clone).ok_or(QueueError::Closed)
    }

    /// State of the connection; an unused connection counts as up. The broker never blocks a connection that
    /// publishes nothing.
    pub(in crate::queue::rabbitmq) fn link(&self) -> Link {
        match &*self.reconnector.state.borrow() {
            ConnectionState::Down(failed) => Link::Down {
                why: failed.to_string(),
            },
            ConnectionState::Up(connection) if !connection.status().connected() => Link::Down {
                why: "the connection was lost".to_owned(),
            },
            ConnectionState::Idle | ConnectionState::Up(_) => Link::Up,
        }
    }

    fn watched(&self) -> watch::Receiver<ConnectionState> {
        self.task.get_or_init(|| {
            let mut task = JoinSet::new();
            task.spawn(Arc::clone(&self.reconnector).run());
            task
        });
        self.reconnector.state.subscribe()
    }
}

fn not_connected(address: &Address, time_limit: Duration, why: &str) -> QueueError {
    QueueError::Unavailable {
        message: format!(
            "{address} was not reached within {time_limit:?}: {why}; is it running, and is its URL right?"
        ),
    }
}

impl Reconnector {
    async fn run(self: Arc<Self>) {
        let mut lost = None;
        loop {
            let connection = Arc::new(self.connect_with_retries(lost).await);
            let events = connection.events_listener();
            let since = Instant::now();
            self.state
                .send_replace(ConnectionState::Up(Arc::clone(&connection)));
            let why = watch_until_lost(connection.status(), events, |_| {}).await;
            let address = self.connector.address();
            warn!("the consuming connection to {address} was lost: {why}; reconnecting");
            self.state
                .send_replace(ConnectionState::Down(ConnectError::Transient(why)));
            lost = Some(Instant::now());
            // Do not reconnect in a tight loop if new connections break at once.
            sleep(FIRST_DELAY.saturating_sub(since.elapsed())).await;
        }
    }

    async fn connect_with_retries(&self, lost: Option<Instant>) -> lapin::Connection {
        let address = self.connector.address();
        let mut delays = RetryDelays::new();
        let mut logged = false;
        loop {
            match self.connector.create().await {
                Ok(connection) => {
                    if let Some(lost) = lost {
                        info!(
                            "the consuming connection to {address} was re-established after {:.1?}",
                            lost.elapsed()
                        );
                    }
                    return connection;
                }
                Err(failed) => {
                    self.log_failure(std::mem::replace(&mut logged, true), &failed);
                    self.state.send_replace(ConnectionState::Down(failed));
                    delays.wait().await;
                }
            }
        }
    }

    /// Logs the first failure as a warning and the following ones at debug level: a broker's restart takes many
    /// attempts.
    fn log_failure(&self, again: bool, failed: &ConnectError) {
        let address = self.connector.address();
        if again {
            debug!("another attempt at the consuming connection to {address} failed: {failed}");
        } else {
            warn!("the consuming connection to {address} failed: {failed}; retrying");
        }
    }
}
