//! From work for a pipeline to its leadership, which only a process with capacity asks for.
//!
//! The order is the same everywhere: lock, leadership, permit, term. The permit is never waited for, so nothing that
//! another process may need is held while the current process lacks capacity.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::ledger::PipelineLock;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::leadership::Leadership;
use super::{LeadError, PipelineLeader, Workers};

/// Between two looks at stop marks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The leadership of a pipeline, with its context.
pub(super) struct Candidacy {
    pub(super) leadership: Leadership,
    /// Capacity for a job; none if the leadership serves only to end stopped jobs.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// Keeps other processes of the local machine from the pipeline, where the broker does not.
    _lock: Option<PipelineLock>,
}

/// Reason to ask for the leadership.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// There is capacity for a job.
    RunJobs,
    /// The next job is stopped, which needs no capacity.
    EndStoppedJob,
}

impl PipelineLeader {
    /// Waits for capacity, or for a stop of the pipeline's next job, and then for the leadership; none if the process has
    /// lost its capacity meanwhile.
    pub(super) async fn win_leadership(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Option<Candidacy>, LeadError> {
        let purpose = self.wait_for_purpose(pipeline).await?;
        let lock = self.wait_for_lock(pipeline).await?;
        // Workers on the broker need no lock for the job, but a job of the local machine must have ended.
        let lock = matches!(self.workers, Workers::Local(_)).then_some(lock);
        let broker = Arc::clone(&self.broker);
        let leadership = Leadership::acquire(broker, pipeline, &self.me).await?;
        // A candidate that lost its capacity gives the leadership to the next candidate at once.
        let permit = Arc::clone(&self.limit).try_acquire_owned().ok();
        if permit.is_none() && purpose == Purpose::RunJobs {
            return Ok(None);
        }
        Ok(Some(Candidacy {
            leadership,
            permit,
            _lock: lock,
        }))
    }

    async fn wait_for_purpose(&self, pipeline: &PipelineName) -> Result<Purpose, LeadError> {
        let mut capacity = pin!(self.limit.acquire());
        loop {
            tokio::select! {
                biased;
                // The permit goes back at once; the winner of a leadership takes one.
                _ = &mut capacity => return Ok(Purpose::RunJobs),
                () = sleep(LOOK_EVERY) => {}
            }
            if let Some((record, _)) = self.ledger.submitted(pipeline).await?.first()
                && self.ledger.stop_requested(record.id).await?
            {
                return Ok(Purpose::EndStoppedJob);
            }
        }
    }

    /// True if another process of the local machine runs a job of the pipeline. A leader of local workers holds the lock
    /// itself.
    pub(super) async fn is_locked_elsewhere(
        &self,
        pipeline: &PipelineName,
    ) -> Result<bool, LeadError> {
        match self.workers {
            Workers::Local(_) => Ok(false),
            Workers::OnBroker => Ok(self.ledger.try_lock(pipeline).await?.is_none()),
        }
    }

    /// Waits while another process of the local machine runs a job of the pipeline.
    async fn wait_for_lock(&self, pipeline: &PipelineName) -> Result<PipelineLock, LeadError> {
        if let Some(lock) = self.ledger.try_lock(pipeline).await? {
            return Ok(lock);
        }
        tracing::info!(pipeline.name = %pipeline, "waiting for another process of this machine that runs a job of {pipeline}");
        Ok(self.ledger.lock(pipeline).await?)
    }
}
