//! What puts an end to a job before its time: a person, a signal, or its own time limit.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::ledger::Ledger;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::coordinator::Pace;

/// How often the ledger is asked whether somebody wants the job stopped.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// A job's time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimit {
    /// When the job was begun.
    pub(crate) since: Timestamp,
    /// How long it may take.
    pub(crate) limit: Option<Duration>,
}

/// Waits until there is a reason to stop the job, and tells it.
pub(crate) async fn reason_to_stop(
    ledger: Ledger,
    job: JobId,
    pace: watch::Receiver<Pace>,
    time: TimeLimit,
) -> String {
    tokio::select! {
        reason = told_to(pace) => reason,
        reason = asked_to(&ledger, job) => reason,
        reason = out_of(time) => reason,
    }
}

async fn told_to(mut pace: watch::Receiver<Pace>) -> String {
    loop {
        if let Pace::Stop { reason } = &*pace.borrow_and_update() {
            return reason.clone();
        }
        if pace.changed().await.is_err() {
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
                tracing::debug!(job.id = %job, error, "cannot tell whether somebody wants the job stopped");
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
        let (_pace, pace) = watch::channel(Pace::Drain);
        assert_eq!(
            reason_to_stop(ledger, job, pace, forever()).await,
            "stopped on request"
        );
    }

    #[tokio::test]
    async fn a_word_from_the_process_stops_the_job_and_a_drain_alone_does_not() {
        let ledger = Ledger::new(Store::in_memory());
        let (sender, pace) = watch::channel(Pace::Drain);
        let waiting = reason_to_stop(ledger, JobId::generate(), pace, forever());
        let telling = async {
            tokio::task::yield_now().await;
            sender.send_replace(Pace::Stop {
                reason: "interrupted".to_owned(),
            });
        };
        let (reason, ()) = tokio::join!(waiting, telling);
        assert_eq!(reason, "interrupted");
    }

    #[tokio::test]
    async fn the_time_limit_counts_from_the_beginning_of_the_job() {
        let ledger = Ledger::new(Store::in_memory());
        let (_sender, pace) = watch::channel(Pace::Go);
        let begun = Timestamp::now() - jiff::SignedDuration::from_secs(100);
        let time = TimeLimit {
            since: begun,
            limit: Some(Duration::from_secs(90)),
        };
        let reason = reason_to_stop(ledger, JobId::generate(), pace, time).await;
        assert_eq!(reason, "took longer than its job_timeout of 90s");
    }
}
