//! State of all publishing connections of a process.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::queue::Link;
use crate::queue::rabbitmq::connection::ConnectError;

/// State of all publishing connections, and of the attempts to connect.
#[derive(Debug, Default)]
pub(super) struct PublishHealth {
    state: watch::Sender<PublishState>,
}

#[derive(Debug, Default)]
struct PublishState {
    given: u64,
    /// The broker's reasons, by number of the blocked connection.
    blocked: BTreeMap<u64, String>,
    /// Publishers that wait for a new connection.
    waiting: usize,
    /// Reason of the last failed attempt to connect, while a publisher waits.
    failure: Option<String>,
}

impl PublishHealth {
    /// Down while a publisher waits and cannot connect, blocked while a connection is blocked; unused connections
    /// count as up.
    pub(super) fn link(&self) -> Link {
        let state = self.state.borrow();
        let blocked = state.blocked.values().next();
        match (&state.failure, blocked) {
            (Some(why), _) => Link::Down { why: why.clone() },
            (None, Some(why)) => Link::Blocked { why: why.clone() },
            (None, None) => Link::Up,
        }
    }

    /// Waits until no connection is blocked: an alarm of the broker concerns every publisher.
    pub(super) async fn unblocked(&self) {
        let mut state = self.state.subscribe();
        let _ = state.wait_for(|state| state.blocked.is_empty()).await;
    }

    /// The report of a new connection.
    pub(super) fn join(self: &Arc<Self>) -> BlockReport {
        let mut number = 0;
        self.state.send_modify(|state| {
            state.given += 1;
            number = state.given;
        });
        BlockReport {
            health: Arc::clone(self),
            number,
        }
    }

    /// A publisher begins to wait for a new connection.
    pub(super) fn wait(&self) -> ConnectReport<'_> {
        self.state.send_modify(|state| state.waiting += 1);
        ConnectReport { health: self }
    }
}

/// Reports whether one connection is blocked; dropping the report removes the connection.
#[derive(Debug)]
pub(super) struct BlockReport {
    health: Arc<PublishHealth>,
    number: u64,
}

impl BlockReport {
    /// Sets the broker's reason for blocking the connection.
    pub(super) fn set(&self, reason: Option<String>) {
        self.health.state.send_modify(|state| {
            match reason {
                Some(reason) => state.blocked.insert(self.number, reason),
                None => state.blocked.remove(&self.number),
            };
        });
    }
}

impl Drop for BlockReport {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// Reports failed attempts to connect; dropping the last report forgets the failure.
#[derive(Debug)]
pub(super) struct ConnectReport<'a> {
    health: &'a PublishHealth,
}

impl ConnectReport<'_> {
    pub(super) fn failed(&self, failure: &ConnectError) {
        let why = failure.to_string();
        self.health
            .state
            .send_modify(|state| state.failure = Some(why));
    }

    pub(super) fn connected(&self) {
        self.health.state.send_modify(|state| state.failure = None);
    }
}

impl Drop for ConnectReport<'_> {
    fn drop(&mut self) {
        self.health.state.send_modify(|state| {
            state.waiting -= 1;
            if state.waiting == 0 {
                state.failure = None;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_while_a_publisher_waits() {
        let health = PublishHealth::default();
        let (first, second) = (health.wait(), health.wait());
        first.failed(&ConnectError::Transient("no answer".to_owned()));
        drop(first);
        let down = Link::Down {
            why: "no answer".to_owned(),
        };
        assert_eq!(health.link(), down);
        drop(second);
        assert_eq!(health.link(), Link::Up);
    }

    #[tokio::test]
    async fn a_lost_connection_is_not_blocked_any_more() {
        let health = Arc::new(PublishHealth::default());
        let (first, second) = (health.join(), health.join());
        first.set(Some("memory".to_owned()));
        second.set(Some("memory".to_owned()));
        second.set(None);
        assert!(matches!(health.link(), Link::Blocked { why } if why == "memory"));
        drop(first);
        assert_eq!(health.link(), Link::Up);
        health.unblocked().await;
    }
}
