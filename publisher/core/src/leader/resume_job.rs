//! Resumes one job and runs the job to its final record with the leader's workers.

use std::convert::Infallible;
use std::future::pending;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::pipeline::Pipeline;
use drover_shared::process::Tokens;
use drover_shared::queue::{Consumer, Queue};
use drover_worker::{Cancellations, WorkError};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::local_workers::OnShutdown;
use super::scratch::LeaderScratch;
use super::{LeadError, LocalWorkers, PipelineLeader, Workers};
use crate::catalog;
use crate::coordinator::{Assignment, Control, Fence, JobContext, Snapshot, resume};

/// Messages that are out at the same time on a broker, at most. They bound the backlog of its queue.
const WINDOW: u64 = 2_048;
/// Messages that are out at the same time on the embedded queue, for each one that the local workers hold.
const BACKLOG: u64 = 4;
/// The least number of messages out at the same time, so a pause of the coordinator leaves no worker idle.
const SMALLEST_WINDOW: u64 = 64;

/// How long workers on a broker may take to release a stopped job; a frozen worker does not keep the job from ending.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(15);
/// The same for local workers, which end by themselves well before.
const LOCAL_RELEASE_TIMEOUT: Duration = Duration::from_mins(1);
/// How often the workers on a broker are told that a job is stopped, until it has ended; a broadcast may be missed.
const BROADCAST_EVERY: Duration = Duration::from_secs(1);

impl PipelineLeader {
    /// Resumes a job, or begins a new one, and coordinates the job to its final record.
    pub(super) async fn resume_job(
        &self,
        assignment: Assignment,
        fence: &Fence,
        watch: watch::Sender<Snapshot>,
        reports: &mut dyn Consumer,
    ) -> Result<JobRecord, LeadError> {
        match &self.workers {
            Workers::OnBroker => {
                let control = Control::new(RELEASE_TIMEOUT);
                let scratch =
                    LeaderScratch::unique(self.ledger.store(), &assignment.pipeline.name)?;
                let record = assignment.record.clone();
                let work = Arc::<Notify>::default();
                let consumers = self.broker.depth(&datums_of(&assignment)).await?.consumers;
                let context = JobContext {
                    ledger: self.ledger.clone(),
                    broker: Arc::clone(&self.broker),
                    fence: fence.clone(),
                    watch,
                    control: control.clone(),
                    scratch: scratch.path().to_owned(),
                    workers: NonZeroU32::new(consumers).unwrap_or(NonZeroU32::MIN),
                    window: WINDOW,
                    work: Arc::clone(&work),
                };
                tokio::select! {
                    ended = resume(assignment, context, reports) => Ok(ended?),
                    never = self.broadcast_close(record.id, &control) => match never {},
                    never = self.broadcast_stop(record.id, &control) => match never {},
                    never = self.call_workers(&record, &work) => match never {},
                }
            }
            Workers::Local(workers) => {
                let job = LocalJob::new(self, workers, assignment.record.id);
                Box::pin(job.run(assignment, fence, watch, reports)).await
            }
        }
    }

    /// Tells workers for any pipeline once there is work. A job of the current process alone was not told of before.
    async fn call_workers(&self, record: &JobRecord, work: &Notify) -> Infallible {
        work.notified().await;
        catalog::hint(record, self.broker.as_ref()).await;
        pending().await
    }

    /// Tells the workers, again and again, that no other datum of the job may begin, from when that is so.
    async fn broadcast_close(&self, job: JobId, control: &Control) -> Infallible {
        control.closed().await;
        loop {
            let broadcast = catalog::broadcast_close(self.broker.as_ref(), &self.ledger, job);
            if let Err(error) = broadcast.await {
                tracing::debug!(job.id = %job, "cannot broadcast that no datum of a job may begin: {error}");
            }
            sleep(BROADCAST_EVERY).await;
        }
    }

    /// Tells the workers on the broker, again and again, that the job is stopped, from when it is.
    async fn broadcast_stop(&self, job: JobId, control: &Control) -> Infallible {
        control.commands_cancelled().await;
        loop {
            let broadcast = catalog::broadcast_stop(self.broker.as_ref(), &self.ledger, job);
            if let Err(error) = broadcast.await {
                tracing::debug!(job.id = %job, "cannot broadcast that a job is stopped: {error}");
            }
            sleep(BROADCAST_EVERY).await;
        }
    }
}

/// A job with local workers, which live as long as the job.
struct LocalJob<'a> {
    leader: &'a PipelineLeader,
    workers: &'a LocalWorkers,
    job: JobId,
    control: Control,
    cancellations: Cancellations,
    /// The workers of the job alone.
    tokens: Tokens,
    /// Notified once there is work for the workers.
    work: Arc<Notify>,
}

impl<'a> LocalJob<'a> {
    fn new(leader: &'a PipelineLeader, workers: &'a LocalWorkers, job: JobId) -> Self {
        Self {
            leader,
            workers,
            job,
            control: Control::new(LOCAL_RELEASE_TIMEOUT),
            cancellations: Cancellations::new(&workers.tokens.hard),
            tokens: workers.tokens.child(),
            work: Arc::default(),
        }
    }

    async fn run(
        &self,
        assignment: Assignment,
        fence: &Fence,
        watch: watch::Sender<Snapshot>,
        reports: &mut dyn Consumer,
    ) -> Result<JobRecord, LeadError> {
        let pipeline = assignment.pipeline.clone();
        let scratch = LeaderScratch::of_lock_holder(self.leader.ledger.store(), &pipeline.name)?;
        let context = self.context(&assignment, fence, watch, &scratch);
        let mut coordinating = pin!(async {
            let ended = resume(assignment, context, reports).await;
            self.end_workers();
            ended
        });
        let mut working = pin!(async {
            let worked = self.work_on(&pipeline).await;
            self.control.release();
            worked
        });
        let (ended, worked) = tokio::select! {
            biased;
            ended = &mut coordinating => (ended, working.await),
            worked = &mut working => {
                self.end_or_leave(&worked)?;
                (coordinating.await, worked)
            }
            never = self.pass_on() => match never {},
            never = self.leader.broadcast_close(self.job, &self.control) => match never {},
        };
        let record = ended?;
        match worked {
            Err(error) if record.state != JobState::Success => Err(error.into()),
            _ => Ok(record),
        }
    }

    /// Starts the workers once there is work for them, so a job without work starts no runner, and waits for their end.
    async fn work_on(&self, pipeline: &Pipeline) -> Result<(), WorkError> {
        let soft = &self.tokens.soft;
        if soft
            .run_until_cancelled(self.work.notified())
            .await
            .is_none()
        {
            return Ok(());
        }
        let ledger = self.leader.ledger.clone();
        let broker = Arc::clone(&self.leader.broker);
        let (cancellations, tokens) = (self.cancellations.clone(), self.tokens.clone());
        self.workers
            .work(&[pipeline], ledger, broker, cancellations, tokens)
            .await
    }

    /// Lets the workers of the job end; commands that the coordinator cancelled are killed.
    fn end_workers(&self) {
        if self.control.is_cancelled() {
            self.cancellations.stop(self.job);
        }
        self.tokens.soft.cancel();
    }

    /// Stops a job whose workers have ended before it; an error leaves the job to the next leader.
    fn end_or_leave(&self, worked: &Result<(), WorkError>) -> Result<(), LeadError> {
        match self.workers.on_shutdown {
            OnShutdown::LeaveJob if !self.control.is_cancelled() => Err(LeadError::WorkersEnded),
            OnShutdown::LeaveJob => Ok(()),
            OnShutdown::EndJob => {
                self.control.stop(reason_of(worked));
                Ok(())
            }
        }
    }

    /// Passes on that the process is asked to end, to the coordinator, and that the job must end, to the workers.
    async fn pass_on(&self) -> Infallible {
        let draining = async {
            self.tokens.soft.cancelled().await;
            if self.workers.on_shutdown == OnShutdown::EndJob {
                self.control.drain();
            }
            pending::<()>().await;
        };
        tokio::select! {
            never = draining => never,
            () = self.control.commands_cancelled() => self.end_workers(),
        }
        pending().await
    }

    fn context(
        &self,
        assignment: &Assignment,
        fence: &Fence,
        watch: watch::Sender<Snapshot>,
        scratch: &LeaderScratch,
    ) -> JobContext {
        let slots = self.workers.slots(&assignment.pipeline);
        let look_ahead = u64::from(self.workers.look_ahead(&assignment.pipeline));
        let held = u64::from(slots.get()).saturating_mul(1 + look_ahead);
        JobContext {
            ledger: self.leader.ledger.clone(),
            broker: Arc::clone(&self.leader.broker),
            fence: fence.clone(),
            watch,
            control: self.control.clone(),
            scratch: scratch.path().to_owned(),
            workers: NonZeroU32::from(slots),
            window: held.saturating_mul(BACKLOG).max(SMALLEST_WINDOW),
            work: Arc::clone(&self.work),
        }
    }
}

/// The reason of a job whose local workers have ended before the job.
fn reason_of(worked: &Result<(), WorkError>) -> String {
    match worked {
        Ok(()) => "stopped by a signal".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn datums_of(assignment: &Assignment) -> Queue {
    Queue::Datums(assignment.pipeline.name.clone())
}
