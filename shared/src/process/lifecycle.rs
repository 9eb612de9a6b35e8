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
    /// Stop requested; held work was finished within the grace period.
    Drained,
    /// Asked twice, or the grace was over.
    CutShort,
}

/// Shutdown tokens and task tracker of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Cancelled first: take no new work, finish held work. A child of `hard`.
    pub soft: CancellationToken,
    /// Cancelled last: kill running work.
    pub hard: CancellationToken,
    /// Every task of the process.
    pub tracker: TaskTracker,
}

impl Tokens {
    /// Tokens in the initial, uncancelled state.
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        Self {
            soft: hard.child_token(),
            hard,
            tracker: TaskTracker::new(),
        }
    }

    /// Tokens for a part of the process: cancelled with the parent, but not the other way round. The tracker is
    /// separate, so callers can wait for the part.
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

/// The life of a process: the first SIGTERM or SIGINT asks the tasks to finish held work; a second signal or the end of
/// the grace period kills running work.
#[derive(Debug)]
pub struct Lifecycle {
    tokens: Tokens,
    grace: Duration,
    terminate: Signal,
    interrupt: Signal,
}

impl Lifecycle {
    /// Listens for signals from now on; create it before anything that can block. `grace` is the time between the stop
    /// request and the hard stop.
    pub fn new(grace: Duration) -> io::Result<Self> {
        Ok(Self {
            tokens: Tokens::new(),
            grace,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The tokens for tasks.
    pub fn tokens(&self) -> Tokens {
        self.tokens.clone()
    }

    /// Spawns the main task of the process: when the task ends, even by a panic, the other tasks are asked to finish.
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

    /// Waits for all tasks and cancels the tokens on signals.
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
                "{} tasks did not end within the hard-stop timeout and are abandoned",
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
