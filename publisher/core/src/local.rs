//! One job on this machine: embedded queue, worker and coordinator in one process.

use std::io;
use std::num::{NonZero, NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName, WorkerId};
use drover_shared::job::{JobEvent, JobRecord, JobState};
use drover_shared::ledger::{Ledger, PipelineLock};
use drover_shared::pipeline::Parallelism;
use drover_shared::process::{Tokens, host_name};
use drover_shared::queue::{Broker, Embedded, Queue, QueueError};
use drover_shared::store::{StoreError, layout};
use drover_worker::{Cancellations, Settings, WorkError, scratch_for, work};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::coordinator::{
    Assignment, Control, CoordinateError, Fence, JobContext, REPORTS, Snapshot, coordinate,
};

/// Messages that each embedded queue holds; more than are ever out at the same time.
pub const QUEUE_CAPACITY: usize = 4096;
/// Messages that are out at the same time, for each one that the worker holds.
const BACKLOG: u64 = 4;
/// The least number of messages out at the same time, so that a pause of the coordinator starves nobody.
const SMALLEST_WINDOW: u64 = 64;

/// How long the worker may take to let go of a job that is stopped; it ends by itself well before.
const LETTING_GO: Duration = Duration::from_mins(1);

/// How a job is run on this machine.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// Datums that run at the same time.
    pub slots: NonZeroU16,
    /// Datums staged ahead, for each slot.
    pub look_ahead: u32,
    /// From TERM to KILL, for a command that must end.
    pub term_grace: Duration,
    /// Where working directories lie; none means below the store's `.drover`, or the system's temporary
    /// folder when the store is a bucket.
    pub scratch: Option<PathBuf>,
    /// Whether to wait while another job of the pipeline runs on this machine; else the job is refused.
    pub wait: bool,
}

/// Why a job could not be seen through; its books stay as they are, and a later run continues.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another job of the pipeline runs on this machine.
    #[error(
        "another job of pipeline {pipeline} runs here already; wait for it, or leave out --no-wait"
    )]
    Busy {
        /// The pipeline.
        pipeline: PipelineName,
    },
    /// A job of the pipeline is on the broker.
    #[error(
        "job {job} of pipeline {pipeline} is on the broker and has not ended; wait for it, stop it, or run with --broker"
    )]
    OnBroker {
        /// The pipeline.
        pipeline: PipelineName,
        /// The job.
        job: JobId,
    },
    /// The pipeline cannot be locked, or scratch space cannot be had in the store.
    #[error("cannot begin a job in this store")]
    Begin(#[source] StoreError),
    /// Scratch space cannot be had.
    #[error("cannot make the scratch folder {}", path.display())]
    Scratch {
        /// The folder.
        path: PathBuf,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// The embedded queue failed: a bug.
    #[error("the embedded queue failed")]
    Queue(#[from] QueueError),
    /// The job could not be seen through.
    #[error(transparent)]
    Coordinate(#[from] CoordinateError),
    /// The worker ended before the job.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// Runs one job to its end and returns its final record, whatever the ending: failed and killed jobs are
/// not errors.
///
/// The soft token makes it finish what runs and end `killed`; the hard token kills what runs.
pub async fn run(
    assignment: Assignment,
    ledger: Ledger,
    settings: LocalSettings,
    tokens: &Tokens,
    watch: watch::Sender<Snapshot>,
) -> Result<JobRecord, LocalError> {
    let pipeline = assignment.pipeline.name.clone();
    let lock = lock(&ledger, &pipeline, settings.wait, &watch);
    let Some(_lock) = tokens.soft.run_until_cancelled(lock).await.transpose()? else {
        return Ok(never_begun(assignment.record));
    };
    // Looked for with the lock in hand: a leader waits for the lock before it takes a job up.
    if let Some((record, _)) = ledger
        .submitted(&pipeline)
        .await
        .map_err(LocalError::Begin)?
        .first()
    {
        let job = record.id;
        return Err(LocalError::OnBroker { pipeline, job });
    }
    let scratch = Scratch::make(&ledger, &pipeline, settings.scratch.clone())?;
    let broker = Arc::new(Embedded::new(QUEUE_CAPACITY));
    broker.declare(&pipeline).await?;
    let desk = Desk {
        ledger,
        broker,
        stops: Cancellations::new(&tokens.hard),
        tokens: tokens.child(),
        idle: CancellationToken::new(),
        scratch,
        settings,
    };
    // All of a job's work is one future, and a large one.
    Box::pin(desk.run(assignment, watch)).await
}

/// Takes the pipeline's lock; waits for it, if wanted, and says so.
async fn lock(
    ledger: &Ledger,
    pipeline: &PipelineName,
    wait: bool,
    watch: &watch::Sender<Snapshot>,
) -> Result<PipelineLock, LocalError> {
    match ledger.try_lock(pipeline).await.map_err(LocalError::Begin)? {
        Some(lock) => Ok(lock),
        None if !wait => Err(LocalError::Busy {
            pipeline: pipeline.clone(),
        }),
        None => {
            watch.send_modify(|snapshot| snapshot.waiting_for_lock = true);
            let lock = ledger.lock(pipeline).await.map_err(LocalError::Begin)?;
            watch.send_modify(|snapshot| snapshot.waiting_for_lock = false);
            Ok(lock)
        }
    }
}

/// The record of a job that was stopped while it waited for its turn; the ledger never heard of it.
fn never_begun(mut record: JobRecord) -> JobRecord {
    record.state = record
        .state
        .after(JobEvent::Stopped)
        .unwrap_or(JobState::Killed);
    record.reason = Some("stopped before it began".to_owned());
    record.finished = Some(Timestamp::now());
    record
}

/// Datums that run at the same time on one machine: the spec's constant, else one a CPU.
pub fn slots(parallelism: Parallelism) -> NonZeroU16 {
    match parallelism {
        Parallelism::Constant(workers) => NonZeroU16::try_from(workers).unwrap_or(NonZeroU16::MAX),
        Parallelism::Coefficient(_) => {
            let cpus = available_parallelism().map_or(1, NonZero::get);
            NonZeroU16::new(u16::try_from(cpus).unwrap_or(u16::MAX)).unwrap_or(NonZeroU16::MIN)
        }
    }
}

/// How a worker in this process works. `look_ahead` is for each slot, `scratch` a folder below which it makes its own.
pub fn worker(
    slots: NonZeroU16,
    look_ahead: u32,
    term_grace: Duration,
    scratch: PathBuf,
) -> Settings {
    Settings {
        look_ahead: u16::try_from(look_ahead).unwrap_or(u16::MAX),
        term_grace,
        ..Settings::new(WorkerId::generate(&host_name()), slots, scratch)
    }
}

/// What coordinator and worker of one job share.
struct Desk {
    ledger: Ledger,
    broker: Arc<Embedded>,
    stops: Cancellations,
    /// Of this job alone: its soft token ends the worker.
    tokens: Tokens,
    /// Cancelled once the worker is gone.
    idle: CancellationToken,
    scratch: Scratch,
    settings: LocalSettings,
}

impl Desk {
    async fn run(
        self,
        assignment: Assignment,
        watch: watch::Sender<Snapshot>,
    ) -> Result<JobRecord, LocalError> {
        let pipeline = assignment.pipeline.name.clone();
        let cancel = self.stops.token(assignment.record.id);
        let (pace, coordinator_pace) = watch::channel(Control::Run);
        let tools = self.tools(watch, coordinator_pace, cancel.clone());
        let reports = Queue::Reports(pipeline.clone());
        let mut reports = self.broker.consume(&reports, REPORTS).await?;
        let coordinating = async {
            let ended = coordinate(assignment, tools, reports.as_mut()).await;
            self.tokens.soft.cancel();
            ended
        };
        let (ended, worked, ()) = tokio::join!(
            coordinating,
            self.work(pipeline, &pace),
            self.pass_on(&cancel, &pace)
        );
        let record = ended?;
        match worked {
            Err(error) if record.state != JobState::Success => Err(error.into()),
            _ => Ok(record),
        }
    }

    /// Works until there is no more to do, then tells the coordinator that nobody is left.
    async fn work(
        &self,
        pipeline: PipelineName,
        pace: &watch::Sender<Control>,
    ) -> Result<(), WorkError> {
        let broker: Arc<dyn Broker> = Arc::clone(&self.broker) as _;
        let (ledger, stops, tokens) =
            (self.ledger.clone(), self.stops.clone(), self.tokens.clone());
        let worked = work(
            worker(
                self.settings.slots,
                self.settings.look_ahead,
                self.settings.term_grace,
                self.scratch.worker.clone(),
            ),
            ledger,
            broker,
            vec![pipeline],
            stops,
            tokens,
        )
        .await;
        let reason = match &worked {
            Ok(()) => "stopped by a signal".to_owned(),
            Err(error) => error.to_string(),
        };
        self.idle.cancel();
        pace.send_replace(Control::Stop { reason });
        worked
    }

    /// Passes on that the process is to end, to the coordinator, and that the job is to end, to the worker.
    async fn pass_on(&self, cancel: &CancellationToken, pace: &watch::Sender<Control>) {
        tokio::select! {
            () = self.tokens.soft.cancelled() => {
                pace.send_if_modified(|pace| {
                    let is_new = *pace == Control::Run;
                    if is_new {
                        *pace = Control::Drain;
                    }
                    is_new
                });
            }
            () = cancel.cancelled() => self.tokens.soft.cancel(),
        }
    }

    fn tools(
        &self,
        watch: watch::Sender<Snapshot>,
        pace: watch::Receiver<Control>,
        cancel: CancellationToken,
    ) -> JobContext {
        let slots = u64::from(self.settings.slots.get());
        let held = slots.saturating_mul(1 + u64::from(self.settings.look_ahead));
        JobContext {
            ledger: self.ledger.clone(),
            broker: Arc::clone(&self.broker) as _,
            fence: Fence::Lock,
            watch,
            control: pace,
            cancel,
            idle: self.idle.clone(),
            drain_timeout: LETTING_GO,
            scratch: self.scratch.publication.clone(),
            workers: NonZeroU32::from(self.settings.slots),
            window: held.saturating_mul(BACKLOG).max(SMALLEST_WINDOW),
        }
    }
}

/// Folders of this machine for one job.
struct Scratch {
    /// Below it the worker makes its own.
    worker: PathBuf,
    /// For the publication of the output.
    publication: PathBuf,
}

impl Scratch {
    /// Makes the folders; those of an earlier job of the pipeline, which was cut off, are emptied.
    fn make(
        ledger: &Ledger,
        pipeline: &PipelineName,
        chosen: Option<PathBuf>,
    ) -> Result<Self, LocalError> {
        let store = ledger.store();
        // Nobody else's: other stores may have a pipeline of this name.
        let elsewhere = || std::env::temp_dir().join(format!("drover-{}", std::process::id()));
        let worker = scratch_for(store, chosen);
        let tmp = store.local_path(&layout::tmp()).unwrap_or_else(elsewhere);
        let publication = tmp.join(format!("publication-{pipeline}"));
        let made = match std::fs::remove_dir_all(&publication) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => std::fs::create_dir_all(&publication),
        };
        made.map_err(|source| LocalError::Scratch {
            path: publication.clone(),
            source,
        })?;
        Ok(Self {
            worker,
            publication,
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays in a store is emptied by the pipeline's next job.
        let _ = std::fs::remove_dir_all(&self.publication);
        // Ours alone, if it is empty now; a store's folder for such things is not.
        if let Some(parent) = self.publication.parent() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}
