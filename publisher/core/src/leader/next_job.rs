//! Selection of the next job of a pipeline.

use drover_shared::id::PipelineName;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::{Ledger, Submission};
use drover_shared::store::StoreError;

/// The next step for a pipeline.
#[derive(Debug)]
pub(super) enum NextJob {
    /// All submitted jobs have ended.
    Nothing,
    /// The job can begin.
    Job(Box<JobRecord>, Submission),
    /// The next job waits for an earlier job of another pipeline.
    Wait,
    /// The next job (first) reads the output of an earlier job (second) that wrote none.
    InVain(Box<JobRecord>, Box<JobRecord>),
}

/// Selects the oldest job that has not ended.
pub(super) async fn next_job(
    ledger: &Ledger,
    pipeline: &PipelineName,
) -> Result<NextJob, StoreError> {
    let Some((record, submission)) = ledger.submitted(pipeline).await?.into_iter().next() else {
        return Ok(NextJob::Nothing);
    };
    for earlier in &submission.after {
        let earlier = ledger.job(*earlier).await?;
        match earlier.state {
            JobState::Success => {}
            JobState::Failure | JobState::Killed => {
                return Ok(NextJob::InVain(Box::new(record), Box::new(earlier)));
            }
            _ => return Ok(NextJob::Wait),
        }
    }
    Ok(NextJob::Job(Box::new(record), submission))
}
