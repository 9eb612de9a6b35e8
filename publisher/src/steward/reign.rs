//! One pipeline's steward.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::backoff::Backoff;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobEvent, JobRecord};
use drover_shared::ledger::{Ledger, Submission};
use drover_shared::pipeline;
use drover_shared::queue::{Broker, Queue, QueueError};
use drover_shared::store::StoreError;
use drover_shared::wire::{Control, Message, encode};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::next::{Next, next};
use super::seat::Seat;
use super::{Shown, metrics, scratch};
use crate::coordinator::{Assignment, CoordinateError, Fence, Pace, Tools, resume};

/// Messages that are out at the same time, at most: what bounds the backlog of the queue.
const WINDOW: u64 = 2_048;
/// How long workers may take to let go of a job that is stopped; one that is frozen does not keep it from ending.
const LETTING_GO: Duration = Duration::from_secs(15);
/// Between two looks at what another pipeline's job has come to, or at a lock.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often workers are told that a job is stopped, until it has ended: a hint may be missed.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Sees jobs on the broker through. Cheap to clone.
#[derive(Clone)]
pub struct Steward {
    /// The books.
    pub ledger: Ledger,
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// The name of this process, for people.
    pub me: String,
    /// Who wants to see jobs in this process.
    pub shown: Shown,
}

/// Why a reign ended before its time.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("cannot coordinate the job")]
    Coordinate(#[from] CoordinateError),
    #[error("cannot read what is to be done")]
    Store(#[from] StoreError),
    #[error("cannot take part in coordinating")]
    Queue(#[from] QueueError),
    #[error("cannot make a scratch folder")]
    Scratch(#[from] io::Error),
}

impl Steward {
    /// Sees the jobs of a pipeline through, until none is left, whoever did it. What fails is tried again, later and later.
    pub async fn run(&self, pipeline: &PipelineName) {
        let mut delays = Backoff::new();
        while let Err(trouble) = self.reign(pipeline).await {
            let delay = delays.next().unwrap_or_default();
            if matches!(trouble, Trouble::Coordinate(CoordinateError::Deposed)) {
                tracing::info!(pipeline.name = %pipeline, "another process coordinates {pipeline} now");
            } else {
                let error = &trouble as &dyn std::error::Error;
                tracing::warn!(pipeline.name = %pipeline, error, "coordinating {pipeline} failed; again in {delay:.1?}");
            }
            sleep(delay).await;
        }
    }

    /// Takes the seat, and sees jobs through as long as there are any and the seat is ours.
    async fn reign(&self, pipeline: &PipelineName) -> Result<(), Trouble> {
        if !self.wait_for_work(pipeline).await? {
            return Ok(());
        }
        let mut seat = Seat::take(Arc::clone(&self.broker), pipeline, &self.me).await?;
        let epoch = self.ledger.begin_epoch(pipeline, &self.me).await?;
        tracing::info!(pipeline.name = %pipeline, "this process coordinates {pipeline}");
        metrics::took_over();
        let fence = Fence::Epoch {
            ledger: self.ledger.clone(),
            pipeline: pipeline.clone(),
            epoch,
        };
        loop {
            match next(&self.ledger, pipeline).await? {
                Next::Nothing => return Ok(()),
                Next::Wait => {
                    self.wait_for_work(pipeline).await?;
                }
                Next::InVain(record, earlier) => self.end(*record, &in_vain(&earlier)).await?,
                Next::Job(record, submission) => {
                    self.see_through(*record, submission, &fence, &mut seat)
                        .await?;
                }
            }
        }
    }

    /// Waits while the next job waits for others; whether there is one.
    async fn wait_for_work(&self, pipeline: &PipelineName) -> Result<bool, Trouble> {
        loop {
            match next(&self.ledger, pipeline).await? {
                Next::Nothing => return Ok(false),
                Next::Job(..) | Next::InVain(..) => return Ok(true),
                Next::Wait => sleep(LOOK_EVERY).await,
            }
        }
    }

    async fn see_through(
        &self,
        record: JobRecord,
        submission: Submission,
        fence: &Fence,
        seat: &mut Seat,
    ) -> Result<(), Trouble> {
        let (job, name) = (record.id, record.pipeline.clone());
        let spec = self.ledger.spec(job).await?;
        let Ok(pipeline) = pipeline::from_value(&spec) else {
            let reason = "its spec is not valid here; bring all Drover processes to one version";
            return self.end(record, reason).await;
        };
        self.wait_for_lock(&name).await?;
        let scratch = scratch::make(self.ledger.store(), &name)?;
        let cancel = CancellationToken::new();
        let tools = self.tools(&record, fence, &cancel, scratch.path()).await?;
        let assignment = Assignment {
            pipeline,
            spec,
            record,
            scope: submission.scope,
            reprocess: submission.reprocess,
        };
        tracing::info!(job.id = %job, pipeline.name = %name, "job {job} of {name} is taken up");
        let _at_it = metrics::AtIt::begin();
        let ended = tokio::select! {
            ended = resume(assignment, tools, seat) => ended,
            never = self.tell_to_stop(job, &cancel) => match never {},
        };
        match ended {
            Ok(record) => {
                metrics::ended(&record);
                tracing::info!(job.id = %job, pipeline.name = %name, state = ?record.state, "job {job} of {name} has ended");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn tools(
        &self,
        record: &JobRecord,
        fence: &Fence,
        cancel: &CancellationToken,
        scratch: &std::path::Path,
    ) -> Result<Tools, Trouble> {
        let queue = Queue::Datums(record.pipeline.clone());
        let workers = self.broker.depth(&queue).await?.consumers;
        let (_, pace) = watch::channel(Pace::Go);
        Ok(Tools {
            ledger: self.ledger.clone(),
            broker: Arc::clone(&self.broker),
            fence: fence.clone(),
            watch: self.shown.watch(record),
            pace,
            cancel: cancel.clone(),
            idle: CancellationToken::new(),
            letting_go: LETTING_GO,
            scratch: scratch.to_owned(),
            workers: NonZeroU32::new(workers).unwrap_or(NonZeroU32::MIN),
            window: WINDOW,
        })
    }

    /// Waits while a `drover run` on this machine works on the same pipeline in its own way.
    async fn wait_for_lock(&self, pipeline: &PipelineName) -> Result<(), Trouble> {
        if self.ledger.try_lock(pipeline).await?.is_none() {
            tracing::info!(pipeline.name = %pipeline, "waiting for a `drover run` of {pipeline} on this machine");
            self.ledger.lock(pipeline).await?;
        }
        Ok(())
    }

    /// Tells workers, again and again, that the job is stopped, from when it is.
    async fn tell_to_stop(
        &self,
        job: JobId,
        cancel: &CancellationToken,
    ) -> std::convert::Infallible {
        cancel.cancelled().await;
        loop {
            if let Ok(body) = encode(&Message::Control(Control::Stop { job }))
                && let Err(error) = self.broker.broadcast(body).await
            {
                tracing::debug!(job.id = %job, "workers cannot be told that a job is stopped: {error}");
            }
            sleep(TELL_EVERY).await;
        }
    }

    /// Ends a job that cannot begin.
    async fn end(&self, mut record: JobRecord, reason: &str) -> Result<(), Trouble> {
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
