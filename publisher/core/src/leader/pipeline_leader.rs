//! One pipeline's leader.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::backoff::Backoff;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobEvent, JobRecord};
use drover_shared::ledger::{Ledger, PipelineLock, Submission};
use drover_shared::pipeline::{self, Pipeline};
use drover_shared::process::Tokens;
use drover_shared::queue::{Broker, Queue, QueueError};
use drover_shared::store::StoreError;
use drover_worker::WorkError;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::leadership::Leadership;
use super::next_job::{NextJob, next_job};
use super::{LiveJobs, LocalWorkers, metrics, scratch};
use crate::catalog;
use crate::coordinator::{Assignment, Control, CoordinateError, Fence, JobContext, resume};
use crate::triggers::{InputWatcher, NextWork, PendingJob, PipelineEvent, WatchContext};

/// Messages that are out at the same time, at most: what bounds the backlog of the queue.
const WINDOW: u64 = 2_048;
/// How long workers may take to let go of a job that is stopped; one that is frozen does not keep it from ending.
const LETTING_GO: Duration = Duration::from_secs(15);
/// Between two looks at what another pipeline's job has come to, or at a lock.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often workers are told that a job is stopped, until it has ended: a hint may be missed.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Sees submitted jobs through, and starts those of registered pipelines. Cheap to clone.
#[derive(Clone)]
pub struct PipelineLeader {
    /// The books.
    pub ledger: Ledger,
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// The name of this process, for people.
    pub me: String,
    /// Who wants to see jobs in this process.
    pub shown: LiveJobs,
    /// Who works.
    pub workers: Workers,
    /// How the inputs of registered pipelines are watched; none leaves them to others.
    pub watching: Option<WatchContext>,
    /// How many jobs this process is at, at most.
    pub limit: Arc<Semaphore>,
}

/// Who works on the datums.
#[derive(Clone, Debug)]
pub enum Workers {
    /// Processes that the broker serves, and it sees to it that one process coordinates a pipeline.
    OnBroker,
    /// This process, with a queue of its own. The lock in the store keeps others from the pipeline.
    Local(LocalWorkers),
}

/// What there is to do for a pipeline.
enum LeaderWork {
    /// Jobs are submitted.
    Submitted,
    /// A job of the registered pipeline is due.
    Due(PendingJob),
}

/// How a lead ended.
enum LeadEnd {
    /// There is nothing to do for the pipeline, and won't be.
    ForGood,
    /// There is nothing to do at the moment.
    ForNow,
}

/// Why a lead ended before its time.
#[derive(Debug, thiserror::Error)]
enum LeadError {
    #[error("cannot coordinate the job")]
    Coordinate(#[from] CoordinateError),
    #[error("cannot read what is to be done")]
    Store(#[from] StoreError),
    #[error("cannot take part in coordinating")]
    Queue(#[from] QueueError),
    #[error("cannot make a scratch folder")]
    Scratch(#[from] io::Error),
    #[error("the worker of this process ended")]
    Work(#[source] WorkError),
    #[error("asked to stop")]
    Stopped,
}

impl PipelineLeader {
    /// Sees through what others submitted to this broker, as long as there is anything.
    pub fn on_broker(ledger: Ledger, broker: Arc<dyn Broker>, me: String) -> Self {
        Self {
            ledger,
            broker,
            me,
            shown: LiveJobs::default(),
            workers: Workers::OnBroker,
            watching: None,
            limit: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    /// Sees the jobs of a pipeline through, until none is left, whoever did it, and none can come as it is no standing
    /// pipeline. What fails is tried again, later and later.
    pub async fn run(&self, pipeline: &PipelineName) {
        let mut delays = Backoff::new();
        let mut watcher = self.input_watcher(pipeline);
        loop {
            let error = match Box::pin(self.lead(pipeline, watcher.as_mut())).await {
                Ok(LeadEnd::ForGood) => return,
                Ok(LeadEnd::ForNow) => {
                    delays = Backoff::new();
                    continue;
                }
                Err(error) => error,
            };
            let delay = delays.next().unwrap_or_default();
            if matches!(error, LeadError::Coordinate(CoordinateError::Deposed)) {
                tracing::info!(pipeline.name = %pipeline, "another process coordinates {pipeline} now");
            } else {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(pipeline.name = %pipeline, error, "coordinating {pipeline} failed; again in {delay:.1?}");
            }
            sleep(delay).await;
        }
    }

    fn input_watcher(&self, pipeline: &PipelineName) -> Option<InputWatcher> {
        let watching = self.watching.clone()?;
        let (ledger, name) = (self.ledger.clone(), pipeline.clone());
        Some(InputWatcher::new(ledger, name, watching))
    }

    /// Takes the leadership once there is work, and sees jobs through as long as there are any and the leadership is ours.
    async fn lead(
        &self,
        pipeline: &PipelineName,
        watcher: Option<&mut InputWatcher>,
    ) -> Result<LeadEnd, LeadError> {
        let Some(work) = self.wait_for_work(pipeline, watcher).await? else {
            return Ok(LeadEnd::ForGood);
        };
        let _lock = self.lock(pipeline).await?;
        let mut leadership = Leadership::take(Arc::clone(&self.broker), pipeline, &self.me).await?;
        let epoch = self.ledger.begin_epoch(pipeline, &self.me).await?;
        tracing::info!(pipeline.name = %pipeline, "this process coordinates {pipeline}");
        metrics::leadership_began();
        let fence = Fence::Epoch {
            ledger: self.ledger.clone(),
            pipeline: pipeline.clone(),
            epoch,
        };
        if let LeaderWork::Due(pending) = work {
            self.start(pending, &fence).await?;
        }
        loop {
            match next_job(&self.ledger, pipeline).await? {
                NextJob::Nothing => return Ok(LeadEnd::ForNow),
                NextJob::Wait => {
                    self.wait_for_work(pipeline, None).await?;
                }
                NextJob::InVain(record, earlier) => self.end(*record, &in_vain(&earlier)).await?,
                NextJob::Job(record, submission) => {
                    self.see_through(*record, submission, &fence, &mut leadership)
                        .await?;
                }
            }
        }
    }

    /// Waits while the next job waits for others, or the registered pipeline for its inputs; none if there is nothing
    /// to wait for.
    async fn wait_for_work(
        &self,
        pipeline: &PipelineName,
        mut watcher: Option<&mut InputWatcher>,
    ) -> Result<Option<LeaderWork>, LeadError> {
        loop {
            match next_job(&self.ledger, pipeline).await? {
                NextJob::Job(..) | NextJob::InVain(..) => return Ok(Some(LeaderWork::Submitted)),
                NextJob::Wait => sleep(LOOK_EVERY).await,
                NextJob::Nothing => {
                    let Some(watcher) = &mut watcher else {
                        return Ok(None);
                    };
                    match watcher.next().await? {
                        NextWork::Start(pending) => return Ok(Some(LeaderWork::Due(pending))),
                        NextWork::Submitted => {}
                        NextWork::Gone => return Ok(None),
                    }
                }
            }
        }
    }

    /// Starts the job that was due when the leadership was not ours yet, unless somebody else did.
    async fn start(&self, pending: PendingJob, fence: &Fence) -> Result<(), LeadError> {
        if pending.is_due(&self.ledger).await? {
            fence.check().await?;
            let record = pending.submit(&self.ledger).await?;
            // For whoever scales workers.
            catalog::hint(&record, self.broker.as_ref()).await;
            let (job, name) = (record.id, record.pipeline);
            tracing::info!(job.id = %job, pipeline.name = %name, "the inputs of {name} changed; job {job} is started");
        }
        Ok(())
    }

    /// The lock that keeps others from the pipeline, where the broker does not.
    async fn lock(&self, pipeline: &PipelineName) -> Result<Option<PipelineLock>, LeadError> {
        match self.workers {
            Workers::OnBroker => Ok(None),
            Workers::Local(_) => Ok(Some(self.wait_for_lock(pipeline).await?)),
        }
    }

    async fn see_through(
        &self,
        record: JobRecord,
        submission: Submission,
        fence: &Fence,
        leadership: &mut Leadership,
    ) -> Result<(), LeadError> {
        let (job, name) = (record.id, record.pipeline.clone());
        let spec = self.ledger.spec(job).await?;
        let Ok(pipeline) = pipeline::from_value(&spec) else {
            let reason = "its spec is not valid here; bring all Drover processes to one version";
            return self.end(record, reason).await;
        };
        if matches!(self.workers, Workers::OnBroker) {
            self.wait_for_lock(&name).await?;
        }
        let _permit = self.limit.acquire().await;
        if let Some(covers) = &submission.fingerprint {
            fence.check().await?;
            self.ledger.save_started_for(&name, covers).await?;
        }
        let scratch = scratch::make(self.ledger.store(), &name)?;
        let cancel = CancellationToken::new();
        let tools = self.tools(&record, fence, &cancel, scratch.path()).await?;
        let assignment = Assignment {
            pipeline: pipeline.clone(),
            spec,
            record,
            scope: submission.scope,
            reprocess: submission.reprocess,
            keep_going: submission.keep_going,
        };
        tracing::info!(job.id = %job, pipeline.name = %name, "job {job} of {name} is taken up");
        let _at_it = metrics::CoordinatedGauge::begin();
        let part = match &self.workers {
            Workers::OnBroker => Tokens::new(),
            Workers::Local(local) => local.tokens.child(),
        };
        let working = self.work(pipeline, part.clone());
        tokio::pin!(working);
        let ended = tokio::select! {
            ended = resume(assignment, tools, leadership) => ended,
            never = self.broadcast_stop(job, &cancel) => match never {},
            error = &mut working => return Err(error),
        };
        part.soft.cancel();
        if matches!(self.workers, Workers::Local(_)) {
            working.await;
        }
        match ended {
            Ok(record) => {
                metrics::ended(&record);
                if let Some(watching) = &self.watching {
                    watching.news.tell(PipelineEvent::Published(name.clone()));
                }
                tracing::info!(job.id = %job, pipeline.name = %name, state = ?record.state, "job {job} of {name} has ended");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Works on the pipeline's datums, where that is this process's business; returns when it cannot go on.
    async fn work(&self, pipeline: Pipeline, tokens: Tokens) -> LeadError {
        let Workers::Local(local) = &self.workers else {
            return std::future::pending().await;
        };
        let (ledger, broker) = (self.ledger.clone(), Arc::clone(&self.broker));
        match local.work(&pipeline, ledger, broker, tokens).await {
            Ok(()) => LeadError::Stopped,
            Err(error) => LeadError::Work(error),
        }
    }

    async fn tools(
        &self,
        record: &JobRecord,
        fence: &Fence,
        cancel: &CancellationToken,
        scratch: &std::path::Path,
    ) -> Result<JobContext, LeadError> {
        let queue = Queue::Datums(record.pipeline.clone());
        let workers = self.broker.depth(&queue).await?.consumers;
        let (_, control) = watch::channel(Control::Run);
        Ok(JobContext {
            ledger: self.ledger.clone(),
            broker: Arc::clone(&self.broker),
            fence: fence.clone(),
            watch: self.shown.watch(record),
            control,
            cancel: cancel.clone(),
            idle: CancellationToken::new(),
            drain_timeout: LETTING_GO,
            scratch: scratch.to_owned(),
            workers: NonZeroU32::new(workers).unwrap_or(NonZeroU32::MIN),
            window: WINDOW,
        })
    }

    /// Waits while somebody on this machine works on the same pipeline in their own way.
    async fn wait_for_lock(&self, pipeline: &PipelineName) -> Result<PipelineLock, LeadError> {
        if let Some(lock) = self.ledger.try_lock(pipeline).await? {
            return Ok(lock);
        }
        tracing::info!(pipeline.name = %pipeline, "waiting for another process of this machine that runs a job of {pipeline}");
        Ok(self.ledger.lock(pipeline).await?)
    }

    /// Tells workers, again and again, that the job is stopped, from when it is.
    async fn broadcast_stop(
        &self,
        job: JobId,
        cancel: &CancellationToken,
    ) -> std::convert::Infallible {
        cancel.cancelled().await;
        loop {
            if let Err(error) = catalog::broadcast_stop(self.broker.as_ref(), job).await {
                tracing::debug!(job.id = %job, "workers cannot be told that a job is stopped: {error}");
            }
            sleep(TELL_EVERY).await;
        }
    }

    /// Ends a job that cannot begin.
    async fn end(&self, mut record: JobRecord, reason: &str) -> Result<(), LeadError> {
        // A job that has not ended can always fail.
        if let Ok(state) = record.state.after(JobEvent::Failed) {
            record.state = state;
        }
        record.reason = Some(reason.to_owned());
        record.finished = Some(Timestamp::now());
        Ok(self.ledger.save(&record).await?)
    }
}

fn in_vain(earlier: &JobRecord) -> String {
    format!(
        "it reads the output of {}, whose job {} ended without one",
        earlier.pipeline, earlier.id
    )
}
