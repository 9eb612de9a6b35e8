//! The leader of one pipeline.

use std::sync::Arc;
use std::time::Duration;

use drover_shared::backoff::Backoff;
use drover_shared::id::PipelineName;
use drover_shared::job::{JobEvent, JobRecord, JobState};
use drover_shared::ledger::{Ledger, Submission};
use drover_shared::pipeline;
use drover_shared::queue::{Broker, Consumer};
use drover_shared::store::StoreError;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::next_job::{NextJob, next_job};
use super::{LeadError, LiveJobs, LocalWorkers, metrics};
use crate::catalog;
use crate::coordinator::{Assignment, CoordinateError, Fence};
use crate::retention::tidy_up;
use crate::triggers::{InputWatcher, NextWork, PendingJob, PipelineEvent, WatchContext};

/// Between two looks at another pipeline's job.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Reason of a job stopped before its start.
const STOPPED: &str = "stopped on request";

/// Resumes submitted jobs, and starts those of registered pipelines. Cheap to clone.
#[derive(Clone)]
pub struct PipelineLeader {
    /// The ledger of the store.
    pub ledger: Ledger,
    /// The queues.
    pub broker: Arc<dyn Broker>,
    /// The name of the current process, for people.
    pub me: String,
    /// Jobs that the current process coordinates.
    pub live_jobs: LiveJobs,
    /// The workers of the datums.
    pub workers: Workers,
    /// Settings for watching the inputs of registered pipelines; none leaves that to other processes.
    pub watching: Option<WatchContext>,
    /// Bounds the jobs that the current process coordinates at the same time.
    pub limit: Arc<Semaphore>,
}

/// The workers of a leader's datums.
#[derive(Clone, Debug)]
pub enum Workers {
    /// Processes connected to the broker, which gives the leadership of a pipeline to one process at a time.
    OnBroker,
    /// The current process, with a queue of its own. The lock in the store keeps others from the pipeline.
    Local(LocalWorkers),
}

/// Work for the leader of a pipeline.
enum LeaderWork {
    /// Submitted jobs.
    Submitted,
    /// A job of the registered pipeline is due.
    Due(PendingJob),
}

/// The end of a leadership without an error.
enum LeadEnd {
    /// The pipeline has no work, and cannot get any, as it is not registered.
    ForGood,
    /// The pipeline has no work at the moment.
    ForNow,
}

impl PipelineLeader {
    /// A leader of submitted jobs, with the workers on the broker.
    pub fn on_broker(ledger: Ledger, broker: Arc<dyn Broker>, me: String) -> Self {
        Self {
            ledger,
            broker,
            me,
            live_jobs: LiveJobs::default(),
            workers: Workers::OnBroker,
            watching: None,
            limit: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    /// Sees to the jobs of a pipeline until all have ended, here or elsewhere, and none can come because the pipeline is
    /// not registered. Retries after an error, with growing delays.
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
                tracing::info!(pipeline.name = %pipeline, "another process leads {pipeline} now");
            } else {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(pipeline.name = %pipeline, error, "leading {pipeline} failed; again in {delay:.1?}");
            }
            sleep(delay).await;
        }
    }

    fn input_watcher(&self, pipeline: &PipelineName) -> Option<InputWatcher> {
        let watching = self.watching.clone()?;
        let (ledger, name) = (self.ledger.clone(), pipeline.clone());
        Some(InputWatcher::new(ledger, name, watching))
    }

    /// Acquires the leadership once there is work and capacity, and resumes jobs while there are any and the leadership
    /// lasts.
    async fn lead(
        &self,
        pipeline: &PipelineName,
        watcher: Option<&mut InputWatcher>,
    ) -> Result<LeadEnd, LeadError> {
        let Some(work) = self.wait_for_work(pipeline, watcher).await? else {
            return Ok(LeadEnd::ForGood);
        };
        let Some(mut candidacy) = self.win_leadership(pipeline).await? else {
            return Ok(LeadEnd::ForNow);
        };
        let fence = Fence::begin(&self.ledger, pipeline, &self.me).await?;
        tracing::info!(pipeline.name = %pipeline, "this process leads {pipeline}");
        metrics::leadership_began();
        if let LeaderWork::Due(pending) = work {
            self.start(pending, &fence).await?;
        }
        loop {
            match next_job(&self.ledger, pipeline).await? {
                // The wait for another pipeline's job needs no leadership, and must not take capacity from that job.
                NextJob::Nothing | NextJob::Wait => return Ok(LeadEnd::ForNow),
                NextJob::InVain(record, earlier) => {
                    self.end(*record, JobEvent::Failed, &in_vain(&earlier), &fence)
                        .await?;
                }
                NextJob::Job(record, submission) => {
                    let is_stopped = self.ledger.stop_requested(record.id).await?;
                    if is_stopped && record.state == JobState::Starting {
                        self.end(*record, JobEvent::Stopped, STOPPED, &fence)
                            .await?;
                        continue;
                    }
                    let may_run = is_stopped || candidacy.permit.is_some();
                    if !may_run || self.is_locked_elsewhere(pipeline).await? {
                        return Ok(LeadEnd::ForNow);
                    }
                    // The future is large.
                    Box::pin(self.lead_job(*record, submission, &fence, &mut candidacy.leadership))
                        .await?;
                    // Other pipelines that wait for capacity come first.
                    if self.limit.available_permits() == 0 {
                        return Ok(LeadEnd::ForNow);
                    }
                }
            }
        }
    }

    /// Waits while the next job waits for others, or the registered pipeline for its inputs; none if the pipeline can
    /// get no work.
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

    /// Submits the job that was due before the leadership began, unless another process did.
    async fn start(&self, pending: PendingJob, fence: &Fence) -> Result<(), LeadError> {
        if pending.is_due(&self.ledger).await? {
            fence.check().await?;
            let record = pending.submit(&self.ledger).await?;
            // Whatever scales the workers listens to this hint.
            catalog::hint(&record, self.broker.as_ref()).await;
            let (job, name) = (record.id, record.pipeline);
            tracing::info!(job.id = %job, pipeline.name = %name, "the inputs of {name} changed; job {job} is started");
        }
        Ok(())
    }

    /// Resumes a submitted job.
    async fn lead_job(
        &self,
        record: JobRecord,
        submission: Submission,
        fence: &Fence,
        reports: &mut dyn Consumer,
    ) -> Result<(), LeadError> {
        let (job, name) = (record.id, record.pipeline.clone());
        let spec = self.ledger.spec(job).await?;
        let Ok(pipeline) = pipeline::from_value(&spec) else {
            let reason = "its spec is not valid here; bring all Drover processes to one version";
            return self.end(record, JobEvent::Failed, reason, fence).await;
        };
        if let Some(fingerprint) = &submission.fingerprint {
            fence.check().await?;
            self.ledger.save_started_for(&name, fingerprint).await?;
        }
        let watch = self.live_jobs.watch(&record);
        let assignment = Assignment {
            pipeline,
            spec,
            record,
            scope: submission.scope,
            reprocess: submission.reprocess,
            keep_going: submission.keep_going,
            halt: submission.halt,
            trace: submission.trace.clone(),
        };
        tracing::info!(job.id = %job, pipeline.name = %name, "job {job} of {name} is resumed");
        let _coordinated = metrics::CoordinatedGauge::begin();
        let retention = assignment.pipeline.retention;
        let record = Box::pin(self.resume_job(assignment, fence, watch, reports)).await?;
        metrics::ended(&record);
        if let Some(watching) = &self.watching {
            watching
                .notifier
                .tell(PipelineEvent::Published(name.clone()));
        }
        tracing::info!(job.id = %job, pipeline.name = %name, state = ?record.state, "job {job} of {name} has ended");
        fence.check().await?;
        tidy_up(&self.ledger, &record, retention).await;
        Ok(())
    }

    /// Ends a job that cannot or must not begin.
    async fn end(
        &self,
        mut record: JobRecord,
        event: JobEvent,
        reason: &str,
        fence: &Fence,
    ) -> Result<(), LeadError> {
        fence.check().await?;
        // A job that has not ended can always fail or stop.
        if let Ok(state) = record.state.after(event) {
            record.state = state;
        }
        record.reason = Some(reason.to_owned());
        record.finished = Some(Timestamp::now());
        match self.ledger.save(&record).await {
            // The job has ended meanwhile.
            Ok(()) | Err(StoreError::Exists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn in_vain(earlier: &JobRecord) -> String {
    format!(
        "it reads the output of {}, whose job {} ended without one",
        earlier.pipeline, earlier.id
    )
}
