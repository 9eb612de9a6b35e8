//! Signals, the soft and the hard token, the tracker of tasks, the grace.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long tasks may take to end once `hard` is cancelled: enough to kill children and to say so.
const HARD_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ShutdownOutcome {
    /// All tasks finished by themselves.
    Finished,
    /// Asked to stop; what was held was finished within the grace.
    Drained,
    /// Asked twice, or the grace was over.
    CutShort,
}

/// What a task needs to know about the life of its process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Cancelled first: take nothing new, finish what is held. A child of `hard`.
    pub soft: CancellationToken,
    /// Cancelled last: kill what runs.
    pub hard: CancellationToken,
    /// Every task of the process.
    pub tracker: TaskTracker,
}

impl Tokens {
    /// Tokens that nobody has cancelled.
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        Self {
            soft: hard.child_token(),
            hard,
            tracker: TaskTracker::new(),
        }
    }

    /// Tokens for a part of the process: what happens to the whole happens to it, not the other way round.
    /// Its tracker is its own, so that the part can be waited for.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            soft: self.soft.child_token(),
            hard: self.hard.child_token(),
            tracker: TaskTracker::new(),
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new()
    }
}

/// The life of a process: the first SIGTERM or SIGINT asks its tasks to finish what they hold, a second one or the
/// end of the grace cuts them short.
#[derive(Debug)]
pub struct Lifecycle {
    tokens: Tokens,
    grace: Duration,
    terminate: Signal,
    interrupt: Signal,
}

impl Lifecycle {
    /// Listens for signals from now on, so make it before anything that can wait. `grace` is the time between
    /// being asked to stop and being cut short.
    pub fn new(grace: Duration) -> io::Result<Self> {
        Ok(Self {
            tokens: Tokens::new(),
            grace,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// What tasks need to know.
    pub fn tokens(&self) -> Tokens {
        self.tokens.clone()
    }

    /// Starts a task without which the process has no purpose: when it ends, even by a panic, the others are
    /// asked to finish.
    pub fn spawn_main<F>(&self, main: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let stop_on_exit = self.tokens.soft.clone().drop_guard();
        self.tokens.tracker.spawn(async move {
            let _stop_on_exit = stop_on_exit;
            main.await
        })
    }

    /// Waits until all tasks have ended, passing on what signals ask for.
    pub async fn run(mut self) -> ShutdownOutcome {
        let Tokens {
            soft,
            hard,
            tracker,
        } = self.tokens.clone();
        let grace = self.grace;
        let asked = tokio::select! {
            () = self.stop_requested() => true,
            () = soft.cancelled() => false,
        };
        soft.cancel();
        tracker.close();
        let ending = tokio::select! {
            () = tracker.wait() => if asked { ShutdownOutcome::Drained } else { ShutdownOutcome::Finished },
            () = self.stop_requested() => ShutdownOutcome::CutShort,
            () = sleep(grace) => ShutdownOutcome::CutShort,
        };
        hard.cancel();
        if timeout(HARD_STOP_TIMEOUT, tracker.wait()).await.is_err() {
            tracing::warn!(
                "{} tasks did not end in time and are left behind",
                tracker.len()
            );
        }
        ending
    }

    async fn stop_requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
