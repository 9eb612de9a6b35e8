//! The processes of a schedule, over one memory and one embedded queue, and the promises that hold at the end.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drover_shared::datum::{CommitUnit, Datum, IndexRanges, Output, Verdict, VerdictState};
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::queue::{Broker, Embedded, Queue};
use drover_shared::store::testing::scheduled::{Scheduler, SharedMemory};
use drover_shared::store::{StoreKey, layout};
use drover_shared::wire::{Event, Message, Report, TaskDatums, decode, encode_for};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::coordinator::coordinate::run_to_end;
use crate::coordinator::manifest::source::{DatumSource, nothing};
use crate::coordinator::recovery::recover::recover;
use crate::coordinator::track::live::LiveJob;
use crate::coordinator::{
    Assignment, Control, CoordinateError, Fence, JobContext, REPORTS, Scope, Snapshot,
};
use crate::testing::fixture::{Fixture, answer_inquiries};
use crate::testing::samples::{entry, verdict};
use crate::testing::scheduled_broker::ScheduledBroker;
use crate::testing::schedules::is_repetition;

/// No schedule takes longer, by the paused clock.
const DEADLINE: Duration = Duration::from_secs(7200);

/// State shared by all processes of a schedule. Cheap to clone.
#[derive(Clone)]
pub(super) struct World {
    /// Names the schedule in failures.
    name: Arc<str>,
    /// Number of datums of each job.
    datums: u64,
    memory: SharedMemory,
    pub(super) broker: Arc<Embedded>,
    fixture: Arc<Fixture>,
    jobs: Vec<Assignment>,
    hands: Rc<RefCell<HashMap<&'static str, Hand>>>,
    /// Staged names of the verdicts of which workers were told that they count, by job and index.
    promised: Rc<RefCell<HashMap<(JobId, u64), String>>>,
}

/// The message that a worker has and did not settle.
#[derive(Clone, Default)]
struct Hand {
    message: Bytes,
    datums: IndexRanges,
}

impl World {
    /// A store with two jobs of `datums` datums.
    pub(super) async fn new(name: String, datums: u64) -> Self {
        let fixture = Fixture::new(0).await;
        let memory = SharedMemory::default();
        let ledger = Ledger::new(memory.at_once());
        let mut jobs = Vec::new();
        for _ in 0..2 {
            let job = fixture.assignment(Scope::Everything);
            ledger.open_job(&job.record, &job.spec).await.unwrap();
            jobs.push(job);
        }
        Self {
            name: name.into(),
            datums,
            memory,
            broker: fixture.broker().await,
            fixture: Arc::new(fixture),
            jobs,
            hands: Rc::default(),
            promised: Rc::default(),
        }
    }

    pub(super) fn pipeline(&self) -> PipelineName {
        self.fixture.pipeline().name
    }

    /// From now on listings are as old as `lag`.
    pub(super) fn delay_listings(&self, lag: Duration) {
        self.memory.delay_listings(lag);
    }

    /// Leads the jobs in sequence, each from its present state.
    pub(super) async fn lead(&self, scheduler: Scheduler) -> Result<(), CoordinateError> {
        let ledger = Ledger::new(self.memory.store(scheduler.clone()));
        let pipeline = self.pipeline();
        let broker = ScheduledBroker::new(&self.broker, scheduler.clone());
        let fence = Fence::begin(&ledger, &pipeline, "leader").await?;
        tell(format_args!("term {:?} begins", fence.term()));
        let reports = Queue::Reports(pipeline.clone());
        let mut reports = broker.consume(&reports, REPORTS).await?;
        for job in &self.jobs {
            let record = ledger.job(job.record.id).await?;
            if record.state.is_final() {
                continue;
            }
            broker.purge(&Queue::Datums(pipeline.clone())).await?;
            let mut recovered = recover(&ledger, record.id).await?;
            tell(format_args!(
                "term {:?} recovers {recovered:?}",
                fence.term()
            ));
            let source = if recovered.expanded {
                nothing()
            } else {
                expansion(scheduler.clone(), recovered.tally.known()..self.datums)
            };
            let pending = std::mem::take(&mut recovered.pending);
            let live = LiveJob::resumed(record.clone(), recovered.tally);
            let context = self.context(&ledger, &broker, &fence, &record);
            let running = run_to_end(job, &context, reports.as_mut(), live, source, pending);
            Box::pin(running).await?;
        }
        Ok(())
    }

    /// The last leader comes back until the jobs have ended, as the broker gives it the leadership again.
    pub(super) async fn lead_to_the_end(&self, mut scheduler: impl FnMut() -> Scheduler) {
        let leading = async {
            while let Err(error) = self.lead(scheduler()).await {
                tell(format_args!("{error:?}"));
                assert!(error.is_passing(), "{}: {error}", self.name);
                sleep(Duration::from_millis(250)).await;
            }
        };
        if timeout(DEADLINE, Box::pin(leading)).await.is_err() {
            let state = self.describe().await;
            panic!("{}: a job stands for ever: {state}", self.name);
        }
    }

    /// Waits until an earlier leader has ended.
    pub(super) async fn expect_end(&self, leader: JoinHandle<Result<(), CoordinateError>>) {
        let Ok(ended) = timeout(DEADLINE, leader).await else {
            let state = self.describe().await;
            panic!("{}: an earlier leader does not end: {state}", self.name);
        };
        if let Err(error) = ended.unwrap() {
            assert!(error.is_passing(), "{}: {error}", self.name);
        }
    }

    fn context(
        &self,
        ledger: &Ledger,
        broker: &ScheduledBroker,
        fence: &Fence,
        record: &JobRecord,
    ) -> JobContext {
        let control = Control::new(DEADLINE);
        control.release();
        JobContext {
            ledger: ledger.clone(),
            broker: Arc::new(broker.clone()),
            fence: fence.clone(),
            watch: watch::channel(Snapshot::new(record.clone())).0,
            control,
            scratch: self.fixture.scratch.path().to_owned(),
            workers: NonZeroU32::MIN,
            window: 4,
            work: Arc::default(),
        }
    }

    /// Works, and answers the inquiries of leaders. `sets` decides which sets are committed in parts.
    pub(super) async fn work(&self, name: &'static str, scheduler: Scheduler, sets: fastrand::Rng) {
        let hands = Rc::clone(&self.hands);
        let held = || {
            let hand = hands.borrow().get(name).cloned();
            hand.unwrap_or_default().datums
        };
        let ledger = Ledger::new(self.memory.at_once());
        tokio::select! {
            () = self.do_datums(name, scheduler, sets) => {}
            never = answer_inquiries(&self.broker, &ledger, name, &held) => match never {},
        }
    }

    /// The broker believes that a worker is gone, and gives the message to another worker, while the first goes on.
    pub(super) async fn redeliver(&self, worker: &str) {
        let hand = self.hands.borrow_mut().remove(worker);
        if let Some(Hand { message, .. }) = hand {
            let queue = Queue::Datums(self.pipeline());
            self.broker.publish(&queue, message).await.unwrap();
        }
    }

    /// Takes datums, stages an output that names the job, commits and reports.
    async fn do_datums(&self, name: &'static str, scheduler: Scheduler, mut sets: fastrand::Rng) {
        let ledger = Ledger::new(self.memory.store(scheduler.clone()));
        let broker = ScheduledBroker::new(&self.broker, scheduler);
        let tasks = Queue::Datums(self.pipeline());
        let mut tasks = broker.consume(&tasks, 2).await.unwrap();
        for claim in 0.. {
            let delivery = tasks.next().await.unwrap();
            let Ok(Message::Task(task)) = decode(&delivery.body) else {
                panic!("not a task")
            };
            let hand = Hand {
                message: delivery.body.clone(),
                datums: task.datums.indexes(),
            };
            self.hands.borrow_mut().insert(name, hand);
            let TaskDatums::Inline(datums) = task.datums else {
                panic!("not inline")
            };
            let unit = task.unit.expect("every leader is of this version");
            let mut ended = Vec::new();
            let last = datums.last().map(|datum| datum.index);
            for datum in datums {
                let staged = format!("{name}-{claim}-{}", datum.index);
                ended.push(stage(&ledger, task.job, &datum, staged).await);
                // A set is committed as a whole, or in parts.
                if Some(datum.index) == last || sets.u8(0..4) == 0 {
                    let ended = std::mem::take(&mut ended);
                    self.commit(&ledger, &broker, task.job, unit, ended).await;
                }
            }
            delivery.ack().await.unwrap();
            self.hands.borrow_mut().remove(name);
        }
    }

    /// Commits and reports, and notes which verdicts count.
    async fn commit(
        &self,
        ledger: &Ledger,
        broker: &ScheduledBroker,
        job: JobId,
        unit: CommitUnit,
        ended: Vec<Verdict>,
    ) {
        let committed = ledger.commit_all(job, unit, ended).await;
        let committed = committed.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        for committed in committed.iter().filter(|committed| committed.first) {
            let (index, staged) = (committed.verdict.index, committed.verdict.staged.clone());
            self.promised.borrow_mut().insert((job, index), staged);
        }
        let reports = committed.into_iter().map(|committed| Report {
            job,
            redeliveries: 0,
            event: Event::Ended {
                verdict: Box::new(committed.verdict),
                first: committed.first,
            },
        });
        let reports = Message::Reports(reports.collect());
        let key = ledger.job_key(job).await.unwrap();
        let report = encode_for(&reports, key.as_ref()).unwrap();
        let queue = Queue::Reports(self.pipeline());
        broker.publish(&queue, report).await.unwrap();
    }

    /// The state of the jobs and of the queues, for a failed schedule.
    async fn describe(&self) -> String {
        let ledger = Ledger::new(self.memory.at_once());
        let mut text = String::new();
        for job in &self.jobs {
            let id = job.record.id;
            let record = ledger.job(id).await;
            let counts = record.map(|record| (record.state, record.datums));
            let segments = ledger.segments(id).await;
            let mut ended = Vec::new();
            for segment in segments.iter().flatten() {
                ended.push(ledger.verdicts(id, *segment).await.map(|all| all.len()));
            }
            let _ = write!(text, "\n{counts:?} {segments:?} {ended:?}");
        }
        let pipeline = self.pipeline();
        for queue in [
            Queue::Datums(pipeline.clone()),
            Queue::Reports(pipeline.clone()),
        ] {
            let _ = write!(text, "\n{queue}: {:?}", self.broker.depth(&queue).await);
        }
        text
    }

    /// Panics if a promise is broken.
    pub(super) async fn check(&self) {
        let name = &self.name;
        let ledger = Ledger::new(self.memory.at_once());
        for job in &self.jobs {
            let id = job.record.id;
            let mut next = 0;
            let mut ended = BTreeMap::new();
            for segment in ledger.segments(id).await.unwrap() {
                assert_eq!(segment.first, next, "{name}: the manifest is one sequence");
                for entry in ledger.manifest(id, segment).await.unwrap() {
                    assert_eq!(entry.datum.index, next, "{name}");
                    next += 1;
                }
                for verdict in ledger.verdicts(id, segment).await.unwrap() {
                    let promised = self.promised.borrow().get(&(id, verdict.index)).cloned();
                    assert!(
                        promised.is_none_or(|promised| promised == verdict.staged),
                        "{name}: a worker was told that another verdict than {verdict:?} counts"
                    );
                    let twice = ended.insert(verdict.index, verdict.staged);
                    assert_eq!(twice, None, "{name}: one verdict a datum");
                }
            }
            let datums = self.datums;
            assert_eq!((next, ended.len() as u64), (datums, datums), "{name}");
            let record = ledger.job(id).await.unwrap();
            assert_eq!(
                (record.state, record.datums.total, record.datums.processed),
                (JobState::Success, datums, datums),
                "{name}: {record:?}"
            );
        }
        let newest = self.jobs.last().unwrap().record.id;
        let files = self.output().await;
        assert_eq!(files.len() as u64, self.datums, "{name}");
        for (path, content) in files {
            assert_eq!(
                content,
                newest.to_string(),
                "{name}: {path} is of an older job"
            );
        }
    }

    async fn output(&self) -> BTreeMap<String, String> {
        let store = self.memory.at_once();
        let folder: StoreKey = layout::output(&self.pipeline());
        let walked = (store.clone(), folder.clone());
        let paths = tokio::task::spawn_blocking(move || {
            let walk = walked.0.walk(&walked.1).unwrap();
            walk.map(|entry| entry.unwrap().path).collect::<Vec<_>>()
        });
        let mut files = BTreeMap::new();
        for path in paths.await.unwrap() {
            let key = folder.join(path.trim_start_matches('/')).unwrap();
            let content = store.get(&key).await.unwrap();
            files.insert(path, String::from_utf8(content.to_vec()).unwrap());
        }
        files
    }
}

/// Stages an output that names the job. Returns the verdict.
async fn stage(ledger: &Ledger, job: JobId, datum: &Datum, staged: String) -> Verdict {
    let content = job.to_string();
    let size = content.len() as u64;
    let key = layout::staged_file(job, &staged, 0);
    ledger.store().put(&key, content.into()).await.unwrap();
    let output = Output {
        path: datum.inputs[0].path.clone(),
        size,
        hash: None,
        version: None,
    };
    Verdict {
        datum: datum.id,
        staged,
        outputs: vec![output],
        ..verdict(datum.index, VerdictState::Success, &[])
    }
}

/// The datums of `indexes`, at a pace decided by the schedule, so leaders cut different segments.
fn expansion(scheduler: Scheduler, indexes: Range<u64>) -> DatumSource {
    let (sender, entries) = mpsc::channel(4);
    let feed = async move {
        for index in indexes {
            scheduler.point().await;
            if sender.send(entry(index, None).into()).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    DatumSource {
        entries,
        feed: Box::pin(feed),
    }
}

/// Shows a step of a leader if a seed is repeated.
fn tell(step: std::fmt::Arguments<'_>) {
    if is_repetition() {
        eprintln!("{:?}: {step}", tokio::time::Instant::now());
    }
}
