//! Requests the stop of a job for a stop mark in the ledger, or for the job's time limit.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::ledger::Ledger;
use tokio::time::{Instant, sleep};

use crate::coordinator::Control;

/// Interval between two looks for a stop request in the ledger.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Interval between two records of the time that the job has run.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// Requests a stop through `control` once the ledger holds a stop mark or the time limit is over. Never returns.
pub(crate) async fn watch_for_stop(
    ledger: &Ledger,
    job: JobId,
    limit: Option<Duration>,
    control: &Control,
) -> Infallible {
    let reason = tokio::select! {
        reason = asked_to(ledger, job) => reason,
        reason = out_of_time(ledger, job, limit) => reason,
    };
    control.stop(reason);
    pending().await
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

/// Resolves once the job has run for `limit`. Time is counted by the leaders of the job, in sequence, and never
/// compared with the clock of another machine; time without a leader does not count.
async fn out_of_time(ledger: &Ledger, job: JobId, limit: Option<Duration>) -> String {
    let Some(limit) = limit else {
        return pending().await;
    };
    let before = read_elapsed(ledger, job).await;
    let since = Instant::now();
    loop {
        let left = limit.saturating_sub(before + since.elapsed());
        if left.is_zero() {
            return format!("took longer than its job_timeout of {}", words(limit));
        }
        sleep(SAVE_EVERY.min(left)).await;
        if let Err(error) = ledger.save_elapsed(job, before + since.elapsed()).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(job.id = %job, error, "cannot save how long the job has run");
        }
    }
}

/// How long earlier leaders have run the job; waits for the store.
async fn read_elapsed(ledger: &Ledger, job: JobId) -> Duration {
    loop {
        match ledger.elapsed(job).await {
            Ok(elapsed) => return elapsed,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(job.id = %job, error, "cannot read how long the job has run");
            }
        }
        sleep(ASK_EVERY).await;
    }
}

/// `90s`, `1.5s`.
fn words(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use drover_shared::store::Store;

    async fn reason(ledger: &Ledger, job: JobId, limit: Option<Duration>) -> String {
        let control = Control::new(Duration::ZERO);
        tokio::select! {
            never = watch_for_stop(ledger, job, limit, &control) => match never {},
            reason = control.stopped() => reason,
        }
    }

    #[tokio::test]
    async fn a_request_in_the_ledger_stops_the_job() {
        let ledger = Ledger::new(Store::in_memory());
        let job = JobId::generate();
        ledger.request_stop(job).await.unwrap();
        assert_eq!(reason(&ledger, job, None).await, "stopped on request");
    }

    #[tokio::test]
    async fn the_time_limit_counts_what_earlier_leaders_ran() {
        let ledger = Ledger::new(Store::in_memory());
        let job = JobId::generate();
        ledger
            .save_elapsed(job, Duration::from_secs(100))
            .await
            .unwrap();
        let reason = reason(&ledger, job, Some(Duration::from_secs(90))).await;
        assert_eq!(reason, "took longer than its job_timeout of 90s");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_job_has_run_is_saved_for_its_next_leader() {
        let ledger = Ledger::new(Store::in_memory());
        let job = JobId::generate();
        let limit = Some(Duration::from_secs(90));
        tokio::select! {
            reason = reason(&ledger, job, limit) => panic!("{reason}"),
            () = sleep(Duration::from_secs(61)) => {}
        }
        let since = Instant::now();
        reason(&ledger, job, limit).await;
        let rest = since.elapsed();
        assert!(rest <= Duration::from_secs(31), "{rest:?}");
    }
}
