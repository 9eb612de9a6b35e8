//! The bounded pass after each job, by the leader of its pipeline.

use std::time::{Duration, Instant};

use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::Retention;
use drover_shared::store::StoreError;

use super::pass::{Effort, Removed, RetentionPass};

/// The longest time of a pass. The next job, or the end of the command, waits so long.
const LIMIT: Duration = Duration::from_secs(1);

/// Makes a bounded pass over the pipeline of a job that has just ended; `retention` is that of its spec. An error is left
/// to the next pass. Only for the leader of the pipeline.
pub(crate) async fn tidy_up(ledger: &Ledger, ended: &JobRecord, retention: Retention) {
    let pipeline = &ended.pipeline;
    match bounded_pass(ledger, ended, retention).await {
        Ok(removed) if removed.jobs > 0 => {
            let jobs = removed.jobs;
            tracing::info!(pipeline.name = %pipeline, jobs, "{jobs} old jobs of {pipeline} are removed");
        }
        Ok(_) => {}
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(pipeline.name = %pipeline, error, "cannot remove old jobs of {pipeline}; the next job tries again");
        }
    }
}

async fn bounded_pass(
    ledger: &Ledger,
    ended: &JobRecord,
    retention: Retention,
) -> Result<Removed, StoreError> {
    let pass = RetentionPass {
        ledger,
        pipeline: &ended.pipeline,
        limits: retention.limits(ledger.retention().await?),
        effort: Effort::Until(Instant::now() + LIMIT),
        dry_run: false,
    };
    pass.run(ledger.jobs_of(&ended.pipeline).await?).await
}
