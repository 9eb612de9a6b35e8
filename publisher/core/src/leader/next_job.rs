//! Which job of a pipeline is next, and whether it can begin.

use drover_shared::id::PipelineName;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::{Ledger, Submission};
use drover_shared::store::StoreError;

/// What is to be done for a pipeline.
#[derive(Debug)]
pub(super) enum NextJob {
    /// Nothing; all its jobs on the broker have ended.
    Nothing,
    /// This job.
    Job(Box<JobRecord>, Submission),
    /// The next job waits for another one, of another pipeline.
    Wait,
    /// The next job reads what this other one did not write.
    InVain(Box<JobRecord>, Box<JobRecord>),
}

/// What is to be done next for a pipeline: its oldest job that has not ended.
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
