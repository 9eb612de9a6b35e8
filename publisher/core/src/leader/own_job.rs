//! A job of one command: no other leader resumes the job, and the job ends with the command.

use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::job::{JobEvent, JobRecord, JobState};
use drover_shared::ledger::PipelineLock;
use drover_shared::queue::Queue;
use drover_shared::store::StoreError;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{LeadError, PipelineLeader};
use crate::coordinator::{Assignment, Fence, REPORTS, Snapshot};
use crate::retention::tidy_up;

/// Longer than a look at the lock lasts.
const LOOK_LASTS: Duration = Duration::from_millis(100);

impl PipelineLeader {
    /// Runs one new job and returns its final record, whatever the ending: failed and killed jobs are not errors. The
    /// leader has local workers and a queue of its own, as the lock of the pipeline is what fences the job.
    ///
    /// `wait` waits for another job of the pipeline on the local machine, until `soft` is cancelled; otherwise the job is
    /// refused.
    pub async fn run_own_job(
        &self,
        assignment: Assignment,
        wait: bool,
        soft: &CancellationToken,
        watch: watch::Sender<Snapshot>,
    ) -> Result<JobRecord, LeadError> {
        let pipeline = assignment.pipeline.name.clone();
        let locking = self.lock_own_job(&pipeline, wait, &watch);
        let locked = soft.run_until_cancelled(locking).await;
        let Some(_lock) = locked.transpose()? else {
            return Ok(stopped_before_it_began(assignment.record));
        };
        self.refuse_submitted(&pipeline).await?;
        self.broker.declare(&pipeline).await?;
        let reports = Queue::Reports(pipeline);
        let mut reports = self.broker.consume(&reports, REPORTS).await?;
        let retention = assignment.pipeline.retention;
        let resumed = self.resume_job(assignment, &Fence::Lock, watch, reports.as_mut());
        let record = Box::pin(resumed).await?;
        if !soft.is_cancelled() {
            tidy_up(&self.ledger, &record, retention).await;
        }
        Ok(record)
    }

    /// Acquires the pipeline's lock, and shows when it has to wait.
    async fn lock_own_job(
        &self,
        pipeline: &PipelineName,
        wait: bool,
        watch: &watch::Sender<Snapshot>,
    ) -> Result<PipelineLock, LeadError> {
        let free = self.try_lock_twice(pipeline).await;
        match free.map_err(LeadError::Begin)? {
            Some(lock) => Ok(lock),
            None if !wait => Err(LeadError::Busy {
                pipeline: pipeline.clone(),
            }),
            None => {
                watch.send_modify(|snapshot| snapshot.waiting_for_lock = true);
                let lock = self.ledger.lock(pipeline).await;
                let lock = lock.map_err(LeadError::Begin)?;
                watch.send_modify(|snapshot| snapshot.waiting_for_lock = false);
                Ok(lock)
            }
        }
    }

    /// Acquires the lock unless it is held for longer than a moment: a process that only looks whether a job runs holds
    /// the lock, too.
    async fn try_lock_twice(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Option<PipelineLock>, StoreError> {
        let lock = self.ledger.try_lock(pipeline).await?;
        if lock.is_some() {
            return Ok(lock);
        }
        sleep(LOOK_LASTS).await;
        self.ledger.try_lock(pipeline).await
    }

    /// Refuses the job if a submitted one is open. Only with the lock in hand: other leaders wait for the lock before
    /// they resume a job.
    async fn refuse_submitted(&self, pipeline: &PipelineName) -> Result<(), LeadError> {
        let open = self.ledger.submitted(pipeline).await;
        match open.map_err(LeadError::Begin)?.first() {
            None => Ok(()),
            Some((record, _)) => Err(LeadError::OnBroker {
                pipeline: pipeline.clone(),
                job: record.id,
            }),
        }
    }
}

/// The record of a job that was stopped while it waited for the lock. The ledger has no trace of it.
fn stopped_before_it_began(mut record: JobRecord) -> JobRecord {
    record.state = record
        .state
        .after(JobEvent::Stopped)
        .unwrap_or(JobState::Killed);
    record.reason = Some("stopped before it began".to_owned());
    record.finished = Some(Timestamp::now());
    record
}
