//! Open connections, bounded by trust: clients without a permitted request cannot keep out a client with a token.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// The largest number of connections whose clients have sent a permitted request.
pub(crate) const MAX_TRUSTED: usize = 64;
/// The largest number of untrusted connections; a further client replaces the oldest.
pub(crate) const MAX_UNTRUSTED: usize = 32;
/// Time before a new client may be replaced: the head of a first request arrives meanwhile, also while a crowd connects again and
/// again. Further clients wait in the listener's backlog.
pub(crate) const GRACE: Duration = Duration::from_millis(100);

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
    untrusted: VecDeque<Untrusted>,
}

#[derive(Debug)]
struct Untrusted {
    task: AbortHandle,
    trust: Trust,
    replaceable: Instant,
}

impl Connections {
    /// Waits until there is room for a further client.
    pub(crate) async fn room(&mut self) {
        loop {
            while self.tasks.try_join_next().is_some() {}
            self.forget_ended();
            if self.tasks.len() - self.untrusted.len() >= MAX_TRUSTED {
                self.tasks.join_next().await;
                continue;
            }
            let oldest = self.untrusted.front();
            let Some(oldest) = oldest.filter(|_| self.untrusted.len() >= MAX_UNTRUSTED) else {
                return;
            };
            tokio::select! {
                () = sleep_until(oldest.replaceable) => return,
                _ = self.tasks.join_next() => {}
            }
        }
    }

    /// Adds a connection, and closes the oldest untrusted connection if there are too many.
    pub(crate) fn add(&mut self, serve: impl Future<Output = ()> + Send + 'static, trust: Trust) {
        self.forget_ended();
        if self.untrusted.len() >= MAX_UNTRUSTED
            && let Some(oldest) = self.untrusted.pop_front()
        {
            oldest.task.abort();
        }
        self.untrusted.push_back(Untrusted {
            task: self.tasks.spawn(serve),
            trust,
            replaceable: Instant::now() + GRACE,
        });
    }

    fn forget_ended(&mut self) {
        self.untrusted
            .retain(|client| !client.task.is_finished() && !client.trust.is_earned());
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

    #[tokio::test(start_paused = true)]
    async fn no_client_is_replaced_before_its_first_request_may_have_arrived() {
        let mut connections = Connections::default();
        let begun = Instant::now();
        for _ in 0..=MAX_UNTRUSTED {
            connections.room().await;
            connections.add(pending(), Trust::default());
        }
        assert_eq!(begun.elapsed(), GRACE);
    }
}
