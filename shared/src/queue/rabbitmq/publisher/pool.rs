//! The pool of publishing connections.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use deadpool::managed::{Object, Pool, PoolError, QueueMode};
use tokio::sync::Mutex as AsyncMutex;
use tracing::{debug, info, warn};

use super::assignment::Assignment;
use super::health::PublishHealth;
use super::pooled_connection::{PooledConnection, PublishManager};
use super::target::PublishTarget;
use crate::queue::Link;
use crate::queue::rabbitmq::connection::BrokerConnector;
use crate::queue::rabbitmq::retry::RetryDelays;

/// Connections for publishing in one process.
///
/// A connection is checked out of the pool while messages are under way on it, and shared by all of them. The pool has
/// as many connections as [`PublishConnections`] allows, opens them when needed, and replaces a lost one.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct PublishPool {
    pool: Pool<PublishManager>,
    health: Arc<PublishHealth>,
    assignment: Mutex<Assignment>,
    /// The checked-out connections, by number of the assignment.
    checked_out: Vec<AsyncMutex<Weak<Object<PublishManager>>>>,
}

/// A message under way; the value keeps its assignment.
#[derive(Debug)]
pub(super) struct InFlightMessage<'a> {
    pool: &'a PublishPool,
    target: &'a PublishTarget,
    connection: usize,
}

/// A connection, checked out until the last message on it lets go.
pub(super) type SharedConnection = Arc<Object<PublishManager>>;

impl PublishPool {
    pub(in crate::queue::rabbitmq) fn new(
        connector: BrokerConnector,
        size: PublishConnections,
    ) -> Self {
        let health = Arc::new(PublishHealth::default());
        let manager = PublishManager {
            connector,
            health: Arc::clone(&health),
        };
        let size = size.0.get();
        let pool = Pool::builder(manager)
            .max_size(size)
            // The connection used last has its channels open.
            .queue_mode(QueueMode::Lifo)
            .build()
            .expect("a pool without time limits needs no runtime");
        Self {
            pool,
            health,
            assignment: Mutex::new(Assignment::new(size)),
            checked_out: (0..size).map(|_| AsyncMutex::default()).collect(),
        }
    }

    /// State of the publishing connections.
    pub(in crate::queue::rabbitmq) fn link(&self) -> Link {
        self.health.link()
    }

    /// Begins to send a message.
    pub(super) fn begin<'a>(&'a self, target: &'a PublishTarget) -> InFlightMessage<'a> {
        let connection = self.assigned().begin(target);
        InFlightMessage {
            pool: self,
            target,
            connection,
        }
    }

    /// Checks a connection out, however long the retries take. Cancel-safe.
    async fn check_out(&self) -> Object<PublishManager> {
        let report = self.health.wait();
        let address = self.pool.manager().connector.address();
        let begun = Instant::now();
        let mut delays = RetryDelays::new();
        let mut has_failed = false;
        loop {
            self.health.unblocked().await;
            match self.pool.get().await {
                Ok(connection) if connection.is_blocked() => {
                    debug!("a publishing connection to {address} is blocked");
                }
                Ok(connection) => {
                    if has_failed {
                        let after = begun.elapsed();
                        info!("publishing to {address} was resumed after {after:.1?}");
                    }
                    report.connected();
                    return connection;
                }
                Err(PoolError::Backend(failed)) => {
                    report.failed(&failed);
                    if std::mem::replace(&mut has_failed, true) {
                        debug!("another publishing connection to {address} failed: {failed}");
                    } else {
                        warn!("a publishing connection to {address} failed: {failed}; retrying");
                    }
                }
                Err(other) => unreachable!("the pool has no time limits and stays open: {other}"),
            }
            delays.wait().await;
        }
    }

    fn assigned(&self) -> MutexGuard<'_, Assignment> {
        self.assignment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlightMessage<'_> {
    /// The connection of the message, once established. Cancel-safe.
    pub(super) async fn connection(&self) -> SharedConnection {
        let mut checked_out = self.pool.checked_out[self.connection].lock().await;
        let shared = checked_out.upgrade();
        if let Some(shared) = shared.filter(|shared| PooledConnection::is_connected(shared)) {
            return shared;
        }
        let connection = Arc::new(self.pool.check_out().await);
        *checked_out = Arc::downgrade(&connection);
        connection
    }
}

impl Drop for InFlightMessage<'_> {
    fn drop(&mut self) {
        self.pool.assigned().end(self.target);
    }
}

/// The largest number of publishing connections in one process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublishConnections(NonZeroUsize);

impl PublishConnections {
    /// Enough for a process with one leader at a time.
    pub const ONE: Self = Self(NonZeroUsize::MIN);

    /// More would burden the broker without publishing more.
    const MAX: usize = 64;
}

/// A number of publishing connections out of range.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{text:?} is not a number of connections from 1 to {}",
    PublishConnections::MAX
)]
pub struct InvalidPublishConnections {
    text: String,
}

impl FromStr for PublishConnections {
    type Err = InvalidPublishConnections;

    fn from_str(text: &str) -> Result<Self, InvalidPublishConnections> {
        let number: Option<NonZeroUsize> = text.parse().ok();
        let valid = number.filter(|number| number.get() <= Self::MAX);
        valid.map(Self).ok_or_else(|| InvalidPublishConnections {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for PublishConnections {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_connections_is_in_range() {
        for text in ["1", "2", "64"] {
            let parsed: PublishConnections = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
        }
        for text in ["0", "-1", "65", "", "two"] {
            let error = text.parse::<PublishConnections>().unwrap_err();
            assert!(error.to_string().contains("from 1 to 64"), "{error}");
        }
    }
}
