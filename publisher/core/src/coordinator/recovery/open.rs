//! Closes interrupted jobs of the pipeline, and reads the index of work that is done already.

use std::sync::Arc;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobEvent;
use drover_shared::ledger::{DoneIndex, Ledger};
use drover_shared::pipeline::Reprocess;
use drover_shared::store::StoreError;

use super::recover::recover;
use crate::coordinator::Assignment;
use crate::coordinator::finish::close::save_final;
use crate::coordinator::track::live::LiveJob;

/// Reason of a job without a leader.
const INTERRUPTED: &str = "interrupted";

/// The done index of the pipeline, or none if all work is to be repeated. Interrupted jobs are closed first and count.
/// Only for the leader of the pipeline.
pub(crate) async fn read_done_work(
    ledger: &Ledger,
    assignment: &Assignment,
) -> Result<Option<Arc<DoneIndex>>, StoreError> {
    let pipeline = &assignment.pipeline;
    close_interrupted(ledger, &pipeline.name, assignment.record.id).await?;
    let done = ledger.done_index(&pipeline.name).await?;
    let anew = assignment.reprocess || pipeline.reprocess == Reprocess::EveryJob;
    Ok((!anew).then(|| Arc::new(done)))
}

/// Writes the final record of every interrupted job of the pipeline, except the assigned job, which is resumed.
async fn close_interrupted(
    ledger: &Ledger,
    pipeline: &PipelineName,
    assigned: JobId,
) -> Result<(), StoreError> {
    let unfolded = ledger.unfolded(pipeline).await?;
    for job in unfolded.into_iter().filter(|job| *job != assigned) {
        match close(ledger, job).await {
            // The job was interrupted before its record was written.
            Ok(()) | Err(StoreError::Missing { .. }) => {}
            Err(error @ StoreError::Corrupt { .. }) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(job.id = %job, error, "the record of job {job} stays as it is");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn close(ledger: &Ledger, job: JobId) -> Result<(), StoreError> {
    let record = ledger.job(job).await?;
    // A submitted job is resumed by the next leader.
    if record.state.is_final() || ledger.submission(job).await?.is_some() {
        return Ok(());
    }
    let recovered = recover(ledger, job).await?;
    let mut live = LiveJob::new(record, recovered.tally);
    live.give_reason(INTERRUPTED.to_owned());
    // Every state that is not final accepts a stop.
    let _ = live.enter(JobEvent::Stopped);
    save_final(ledger, &live.record(), &live).await
}
