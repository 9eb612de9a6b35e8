//! The handle for stopping a job early, shared by the coordinator, the workers and all callers.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Requested stop level of a job. The level only rises.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum StopRequest {
    /// The job runs to its end.
    #[default]
    Run,
    /// No new datum begins; [`StopRequest::Stop`] follows once the workers have finished the datums in flight.
    Drain,
    /// The job is killed now.
    Stop {
        /// Shown as the job's reason.
        reason: String,
    },
}

impl StopRequest {
    /// True for [`StopRequest::Stop`].
    pub(super) fn is_stop(&self) -> bool {
        matches!(self, Self::Stop { .. })
    }
}

/// The control of one job. All clones share one state.
///
/// A stop takes three steps: somebody *requests* it; the coordinator withdraws the queued datums and *cancels* the
/// commands that still run; the workers *release* the job, for which the coordinator waits a bounded time.
#[derive(Clone, Debug)]
pub struct Control {
    request: watch::Sender<StopRequest>,
    closed: CancellationToken,
    commands: CancellationToken,
    released: CancellationToken,
    release_timeout: Duration,
}

impl Control {
    /// The control of a job that goes on. `release_timeout` bounds how long the coordinator of a stopped job waits for the
    /// workers, one of which may be frozen.
    pub fn new(release_timeout: Duration) -> Self {
        Self {
            request: watch::Sender::default(),
            closed: CancellationToken::new(),
            commands: CancellationToken::new(),
            released: CancellationToken::new(),
            release_timeout,
        }
    }

    /// Requests that no further datum is published.
    pub fn drain(&self) {
        self.request.send_if_modified(|request| {
            let rises = *request == StopRequest::Run;
            if rises {
                *request = StopRequest::Drain;
            }
            rises
        });
    }

    /// Requests that the job ends as `killed`; the reason of the first request counts.
    pub fn stop(&self, reason: String) {
        self.request.send_if_modified(|request| {
            let rises = !request.is_stop();
            if rises {
                *request = StopRequest::Stop { reason };
            }
            rises
        });
    }

    /// Waits until the coordinator lets no other datum begin, while the running ones go on.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Waits until the coordinator ends the commands of the job.
    pub async fn commands_cancelled(&self) {
        self.commands.cancelled().await;
    }

    /// True once the coordinator has ended the commands of the job.
    pub fn is_cancelled(&self) -> bool {
        self.commands.is_cancelled()
    }

    /// Tells the coordinator that no worker holds a datum of the job any more.
    pub fn release(&self) {
        self.released.cancel();
    }

    /// All requests, beginning with the present one.
    pub(super) fn requests(&self) -> watch::Receiver<StopRequest> {
        let mut requests = self.request.subscribe();
        requests.mark_changed();
        requests
    }

    /// Waits for the request to stop; returns its reason.
    pub(super) async fn stopped(&self) -> String {
        let mut requests = self.request.subscribe();
        // The sender is ours, so only a stop ends the wait.
        let _ = requests.wait_for(StopRequest::is_stop).await;
        match &*requests.borrow() {
            StopRequest::Stop { reason } => reason.clone(),
            StopRequest::Run | StopRequest::Drain => String::new(),
        }
    }

    /// Lets no other datum begin.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// Ends the commands of the job.
    pub(super) fn cancel_commands(&self) {
        self.commands.cancel();
    }

    /// Waits until the workers have released the job, at most for the release timeout.
    pub(super) async fn released(&self) {
        let _ = timeout(self.release_timeout, self.released.cancelled()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control() -> Control {
        Control::new(Duration::from_secs(1))
    }

    #[tokio::test]
    async fn the_level_only_rises_and_the_first_reason_counts() {
        let control = control();
        let mut requests = control.requests();
        control.drain();
        control.stop("first".to_owned());
        control.stop("second".to_owned());
        control.drain();
        assert!(requests.borrow_and_update().is_stop());
        assert_eq!(control.stopped().await, "first");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_alone_stops_nothing() {
        let control = control();
        control.drain();
        let waited = timeout(Duration::from_secs(60), control.stopped()).await;
        assert!(waited.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_frozen_worker_is_not_waited_for_without_end() {
        let control = control();
        let begun = tokio::time::Instant::now();
        control.released().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }
}
