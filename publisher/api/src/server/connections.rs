//! Open connections, bounded by trust: clients without a permitted request cannot keep out a client with a token.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{AbortHandle, JoinSet};

/// The largest number of connections whose clients have sent a permitted request.
pub(crate) const MAX_TRUSTED: usize = 64;
/// The largest number of untrusted connections; a further client replaces the oldest.
pub(crate) const MAX_UNTRUSTED: usize = 32;

/// The trust in the client of a connection, for the handlers of its requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust(Arc<AtomicBool>);

impl Trust {
    /// The client has sent a permitted request.
    pub(crate) fn earn(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_earned(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    /// Oldest first.
    untrusted: VecDeque<(AbortHandle, Trust)>,
}

impl Connections {
    /// Waits until there is room for a further client.
    pub(crate) async fn room(&mut self) {
        loop {
            while self.tasks.try_join_next().is_some() {}
            self.untrusted
                .retain(|(task, trust)| !task.is_finished() && !trust.is_earned());
            if self.tasks.len() - self.untrusted.len() < MAX_TRUSTED {
                return;
            }
            self.tasks.join_next().await;
        }
    }

    /// Adds a connection, and closes the oldest untrusted connection if there are too many.
    pub(crate) fn add(&mut self, serve: impl Future<Output = ()> + Send + 'static, trust: Trust) {
        self.untrusted
            .retain(|(task, trust)| !task.is_finished() && !trust.is_earned());
        if self.untrusted.len() >= MAX_UNTRUSTED
            && let Some((oldest, _)) = self.untrusted.pop_front()
        {
            oldest.abort();
        }
        let task = self.tasks.spawn(serve);
        self.untrusted.push_back((task, trust));
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn untrusted_clients_make_room_for_each_other_and_not_for_trusted_ones() {
        let mut connections = Connections::default();
        let trusted: Vec<Trust> = (0..MAX_TRUSTED).map(|_| Trust::default()).collect();
        for trust in &trusted {
            connections.room().await;
            connections.add(pending(), trust.clone());
            trust.earn();
        }
        for _ in 0..3 * MAX_UNTRUSTED {
            connections.add(pending(), Trust::default());
        }
        let closing = async {
            while connections.tasks.len() > MAX_TRUSTED + MAX_UNTRUSTED {
                connections.tasks.join_next().await;
            }
        };
        timeout(Duration::from_secs(10), closing).await.unwrap();
        assert_eq!(connections.untrusted.len(), MAX_UNTRUSTED);
        assert!(connections.tasks.try_join_next().is_none());
    }
}
