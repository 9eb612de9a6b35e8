//! Early ends of a job: a stop request, a signal, or the job's time limit.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::ledger::Ledger;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::coordinator::Control;

/// Interval between two looks for a stop request in the ledger.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Time limit of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimit {
    /// Start of the job.
    pub(crate) since: Timestamp,
    /// Longest duration; none means no limit.
    pub(crate) limit: Option<Duration>,
}

/// Resolves to the reason once the job must stop.
pub(crate) async fn reason_to_stop(
    ledger: Ledger,
    job: JobId,
    control: watch::Receiver<Control>,
    time: TimeLimit,
) -> String {
    tokio::select! {
        reason = told_to(control) => reason,
        reason = asked_to(&ledger, job) => reason,
        reason = out_of(time) => reason,
    }
}

async fn told_to(mut control: watch::Receiver<Control>) -> String {
    loop {
        if let Control::Stop { reason } = &*control.borrow_and_update() {
            return reason.clone();
        }
        if control.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

async fn asked_to(ledger: &Ledger, job: JobId) -> String {
    loop {
        sleep(ASK_EVERY).await;
        match ledger.stop_requested(job).await {
            Ok(true) => return "stopped on request".to_owned(),
            Ok(false) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(job.id = %job, error, "cannot read the stop request");
            }
        }
    }
}

async fn out_of(time: TimeLimit) -> String {
    let Some(limit) = time.limit else {
        return std::future::pending().await;
    };
    let spent = Timestamp::now().duration_since(time.since);
    sleep(limit.saturating_sub(Duration::try_from(spent).unwrap_or_default())).await;
    format!("took longer than its job_timeout of {}", words(limit))
}

/// `90s`, `1.5s`.
fn words(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use drover_shared::store::Store;

    fn forever() -> TimeLimit {
        TimeLimit {
            since: Timestamp::now(),
            limit: None,
        }
    }

    #[tokio::test]
    async fn a_request_in_the_ledger_stops_the_job() {
        let ledger = Ledger::new(Store::in_memory());
        let job = JobId::generate();
        ledger.request_stop(job).await.unwrap();
        let (_pace, control) = watch::channel(Control::Drain);
        assert_eq!(
            reason_to_stop(ledger, job, control, forever()).await,
            "stopped on request"
        );
    }

    #[tokio::test]
    async fn a_word_from_the_process_stops_the_job_and_a_drain_alone_does_not() {
        let ledger = Ledger::new(Store::in_memory());
        let (sender, control) = watch::channel(Control::Drain);
        let waiting = reason_to_stop(ledger, JobId::generate(), control, forever());
        let telling = async {
            tokio::task::yield_now().await;
            sender.send_replace(Control::Stop {
                reason: "interrupted".to_owned(),
            });
        };
        let (reason, ()) = tokio::join!(waiting, telling);
        assert_eq!(reason, "interrupted");
    }

    #[tokio::test]
    async fn the_time_limit_counts_from_the_beginning_of_the_job() {
        let ledger = Ledger::new(Store::in_memory());
        let (_sender, control) = watch::channel(Control::Run);
        let begun = Timestamp::now() - jiff::SignedDuration::from_secs(100);
        let time = TimeLimit {
            since: begun,
            limit: Some(Duration::from_secs(90)),
        };
        let reason = reason_to_stop(ledger, JobId::generate(), control, time).await;
        assert_eq!(reason, "took longer than its job_timeout of 90s");
    }
}
