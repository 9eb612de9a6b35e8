//! Opens the books: closes those of jobs that were cut off, and reads what is done already.

use std::sync::Arc;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobEvent;
use drover_shared::ledger::{DoneIndex, Ledger};
use drover_shared::pipeline::Reprocess;
use drover_shared::store::StoreError;

use super::recover::recover;
use crate::coordinator::Assignment;
use crate::coordinator::finish::close::save_final;
use crate::coordinator::track::live::Live;

/// Why a job that was cut off ended.
const INTERRUPTED: &str = "interrupted";

/// The work of the pipeline that is done already, unless it is all to be done again. Jobs that were cut off are
/// closed first, and count. Only for the holder of the pipeline's lock.
pub(crate) async fn open_books(
    ledger: &Ledger,
    assignment: &Assignment,
) -> Result<Option<Arc<DoneIndex>>, StoreError> {
    let pipeline = &assignment.pipeline;
    close_interrupted(ledger, &pipeline.name).await?;
    let done = ledger.done_index(&pipeline.name).await?;
    let anew = assignment.reprocess || pipeline.reprocess == Reprocess::EveryJob;
    Ok((!anew).then(|| Arc::new(done)))
}

/// Gives every unfinished job of the pipeline its final record: nobody works on them any more.
async fn close_interrupted(ledger: &Ledger, pipeline: &PipelineName) -> Result<(), StoreError> {
    for job in ledger.unfolded(pipeline).await? {
        match close(ledger, job).await {
            // A job that was cut off before its record was written never was.
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
    // A job on the broker outlives its coordinators.
    if record.state.is_final() || ledger.submission(job).await?.is_some() {
        return Ok(());
    }
    let recovered = recover(ledger, job).await?;
    let mut live = Live::new(record, recovered.tally);
    live.give_reason(INTERRUPTED.to_owned());
    // A job that has not ended can always be stopped.
    let _ = live.enter(JobEvent::Stopped);
    save_final(ledger, &live.record(), &live).await
}
