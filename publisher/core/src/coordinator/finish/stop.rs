//! Early ends of a job: a stop request, a signal, or the job's time limit.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::ledger::Ledger;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::coordinator::Control;

/// Interval between two looks for a stop request in the ledger.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Interval between two records of the time that the job has run.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// Resolves to the reason once the job must stop.
pub(crate) async fn reason_to_stop(
    ledger: Ledger,
    job: JobId,
    control: watch::Receiver<Control>,
    limit: Option<Duration>,
) -> String {
    tokio::select! {
        reason = told_to(control) => reason,
        reason = asked_to(&ledger, job) => reason,
        reason = out_of_time(&ledger, job, limit) => reason,
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

/// Resolves once the job has run for `limit`. Time is counted by the leaders of the job, one after the other, and never
/// compared with the clock of another machine; time without a leader does not count.
async fn out_of_time(ledger: &Ledger, job: JobId, limit: Option<Duration>) -> String {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    let before = read_elapsed(ledger, job).await;
    let since = Instant::now();
    loop {
        let elapsed = before + since.elapsed();
        if elapsed >= limit {
            return format!("took longer than its job_timeout of {}", words(limit));
        }
        sleep(SAVE_EVERY.min(limit - elapsed)).await;
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

    #[tokio::test]
    async fn a_request_in_the_ledger_stops_the_job() {
        let ledger = Ledger::new(Store::in_memory());
        let job = JobId::generate();
        ledger.request_stop(job).await.unwrap();
        let (_pace, control) = watch::channel(Control::Drain);
        assert_eq!(
            reason_to_stop(ledger, job, control, None).await,
            "stopped on request"
        );
    }

    #[tokio::test]
    async fn a_word_from_the_process_stops_the_job_and_a_drain_alone_does_not() {
        let ledger = Ledger::new(Store::in_memory());
        let (sender, control) = watch::channel(Control::Drain);
        let waiting = reason_to_stop(ledger, JobId::generate(), control, None);
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
    async fn the_time_limit_counts_what_earlier_leaders_ran() {
        let ledger = Ledger::new(Store::in_memory());
        let (_sender, control) = watch::channel(Control::Run);
        let job = JobId::generate();
        ledger
            .save_elapsed(job, Duration::from_secs(100))
            .await
            .unwrap();
        let limit = Some(Duration::from_secs(90));
        let reason = reason_to_stop(ledger, job, control, limit).await;
        assert_eq!(reason, "took longer than its job_timeout of 90s");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_job_has_run_is_saved_for_its_next_leader() {
        let ledger = Ledger::new(Store::in_memory());
        let (_sender, control) = watch::channel(Control::Run);
        let job = JobId::generate();
        let limit = Some(Duration::from_secs(90));
        let leading = reason_to_stop(ledger.clone(), job, control.clone(), limit);
        tokio::select! {
            reason = leading => panic!("{reason}"),
            () = sleep(Duration::from_secs(61)) => {}
        }
        let since = Instant::now();
        reason_to_stop(ledger, job, control, limit).await;
        let rest = since.elapsed();
        assert!(rest <= Duration::from_secs(31), "{rest:?}");
    }
}
