//! The real leader under thousands of schedules: several leaders at one job, during expansion and publication.
//!
//! Every call of the store and of the queues waits a time decided by a seed, on a paused clock, and processes freeze now and then. Later
//! leaders begin while earlier ones are still at work, as after a lost connection; deposed leaders purge the queue of their
//! successors; and in half of the schedules listings lag behind, as on a network file system.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::datum::{IndexRanges, Output, VerdictState};
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::queue::{Broker, Embedded, Queue};
use drover_shared::store::testing::scheduled::{Scheduler, SharedMemory};
use drover_shared::store::{StoreError, StoreKey, layout};
use drover_shared::wire::{Event, Message, Report, TaskDatums, decode, encode_for};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::coordinate::run_to_end;
use super::manifest::source::{DatumSource, nothing};
use super::recovery::recover::recover;
use super::track::live::LiveJob;
use super::{Assignment, Control, CoordinateError, Fence, JobContext, REPORTS, Scope, Snapshot};
use crate::testing::fixture::{Fixture, answer_inquiries};
use crate::testing::samples::{entry, verdict};
use crate::testing::scheduled_broker::ScheduledBroker;
use crate::testing::schedules::{each_seed, seeds};

/// Datums of each job: enough for several segments.
const DATUMS: u64 = 20;
/// Longest lag of listings, in milliseconds: a network file system keeps directories for a minute.
const LONGEST_LAG: u64 = 60_000;
/// No schedule takes longer, by the paused clock.
const DEADLINE: Duration = Duration::from_secs(3600);

/// State shared by all processes of a schedule.
#[derive(Clone)]
struct World {
    memory: SharedMemory,
    broker: Arc<Embedded>,
    fixture: Arc<Fixture>,
    jobs: Vec<Assignment>,
}

impl World {
    async fn new() -> Self {
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
            memory,
            broker: fixture.broker().await,
            fixture: Arc::new(fixture),
            jobs,
        }
    }

    /// Leads the jobs in sequence, each from its present state.
    async fn lead(&self, seed: u64) -> Result<(), CoordinateError> {
        let scheduler = Scheduler::new(seed);
        let ledger = Ledger::new(self.memory.store(scheduler.clone()));
        let pipeline = self.fixture.pipeline().name;
        let broker = ScheduledBroker::new(&self.broker, scheduler.clone());
        let fence = Fence::begin(&ledger, &pipeline, &seed.to_string()).await?;
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
                expansion(scheduler.clone(), recovered.tally.known())
            };
            let pending = std::mem::take(&mut recovered.pending);
            let live = LiveJob::resumed(record.clone(), recovered.tally);
            let context = self.context(&ledger, &broker, &fence, &record);
            let running = run_to_end(job, &context, reports.as_mut(), live, source, pending);
            Box::pin(running).await?;
        }
        Ok(())
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

    /// Works, and answers the inquiries of leaders.
    async fn work(&self, seed: u64) {
        let name = format!("worker-{seed}");
        let in_hand = RefCell::new(IndexRanges::default());
        let held = || in_hand.borrow().clone();
        let ledger = Ledger::new(self.memory.at_once());
        tokio::select! {
            () = self.do_datums(seed, &in_hand) => {}
            never = answer_inquiries(&self.broker, &ledger, &name, &held) => match never {},
        }
    }

    /// Takes datums, stages an output that names the job, commits and reports.
    async fn do_datums(&self, seed: u64, in_hand: &RefCell<IndexRanges>) {
        let scheduler = Scheduler::new(seed);
        let ledger = Ledger::new(self.memory.store(scheduler.clone()));
        let broker = ScheduledBroker::new(&self.broker, scheduler);
        let pipeline = self.fixture.pipeline().name;
        let tasks = Queue::Datums(pipeline.clone());
        let mut tasks = broker.consume(&tasks, 2).await.unwrap();
        let mut random = fastrand::Rng::with_seed(seed);
        for claim in 0.. {
            let delivery = tasks.next().await.unwrap();
            let Ok(Message::Task(task)) = decode(&delivery.body) else {
                panic!("not a task")
            };
            in_hand.replace(task.datums.indexes());
            let TaskDatums::Inline(datums) = task.datums else {
                panic!("not inline")
            };
            let mut ended = Vec::new();
            let last = datums.last().map(|datum| datum.index);
            for datum in datums {
                let content = task.job.to_string();
                let staged = format!("claim-{seed}-{claim}-{}", datum.index);
                let key = layout::staged_file(task.job, &staged, 0);
                ledger
                    .store()
                    .put(&key, content.clone().into())
                    .await
                    .unwrap();
                let mut mine = verdict(datum.index, VerdictState::Success, &[]);
                mine.datum = datum.id;
                mine.staged = staged;
                mine.outputs = vec![Output {
                    path: datum.inputs[0].path.clone(),
                    size: content.len() as u64,
                    hash: None,
                    version: None,
                }];
                ended.push(mine);
                // A set is committed as a whole, or in parts.
                if Some(datum.index) != last && random.u8(0..4) > 0 {
                    continue;
                }
                let unit = task.unit.expect("every leader is of this version");
                let committed = loop {
                    match ledger.commit_all(task.job, unit, ended.clone()).await {
                        Ok(committed) => break committed,
                        // Sealed, and the listing of seals lags behind.
                        Err(StoreError::Missing { .. }) => sleep(Duration::from_secs(1)).await,
                        Err(error) => panic!("{error}"),
                    }
                };
                ended.clear();
                let reports = committed.into_iter().map(|committed| Report {
                    job: task.job,
                    redeliveries: 0,
                    event: Event::Ended {
                        verdict: Box::new(committed.verdict),
                        first: committed.first,
                    },
                });
                let reports = Message::Reports(reports.collect());
                let key = ledger.job_key(task.job).await.unwrap();
                let report = encode_for(&reports, key.as_ref()).unwrap();
                let queue = Queue::Reports(pipeline.clone());
                broker.publish(&queue, report).await.unwrap();
            }
            delivery.ack().await.unwrap();
            in_hand.replace(IndexRanges::default());
        }
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
        let pipeline = self.fixture.pipeline().name;
        for queue in [
            Queue::Datums(pipeline.clone()),
            Queue::Reports(pipeline.clone()),
        ] {
            let _ = write!(text, "\n{queue}: {:?}", self.broker.depth(&queue).await);
        }
        text
    }

    async fn check(&self, seed: u64) {
        let ledger = Ledger::new(self.memory.at_once());
        for job in &self.jobs {
            let id = job.record.id;
            let mut next = 0;
            let mut ended = BTreeMap::new();
            for segment in ledger.segments(id).await.unwrap() {
                assert_eq!(
                    segment.first, next,
                    "seed {seed}: the manifest is one sequence"
                );
                for entry in ledger.manifest(id, segment).await.unwrap() {
                    assert_eq!(entry.datum.index, next, "seed {seed}");
                    next += 1;
                }
                for verdict in ledger.verdicts(id, segment).await.unwrap() {
                    let twice = ended.insert(verdict.index, verdict.staged);
                    assert_eq!(twice, None, "seed {seed}: one verdict a datum");
                }
            }
            assert_eq!((next, ended.len() as u64), (DATUMS, DATUMS), "seed {seed}");
            let record = ledger.job(id).await.unwrap();
            assert_eq!(
                (record.state, record.datums.total, record.datums.processed),
                (JobState::Success, DATUMS, DATUMS),
                "seed {seed}: {record:?}"
            );
        }
        let newest = self.jobs.last().unwrap().record.id;
        let files = self.output().await;
        assert_eq!(files.len() as u64, DATUMS, "seed {seed}");
        for (path, content) in files {
            assert_eq!(
                content,
                newest.to_string(),
                "seed {seed}: {path} is of an older job"
            );
        }
    }

    /// Acts for leaders that froze between their last look at the epoch and the purge of the queue, and wake at some moment.
    /// Returns the number of messages lost.
    async fn purge_late(&self, seed: u64) -> u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let queue = Queue::Datums(self.fixture.pipeline().name);
        let mut lost = 0;
        for _ in 0..random.u64(0..4) {
            let millis = if random.bool() { 3_000 } else { 30_000 };
            sleep(Duration::from_millis(random.u64(0..millis))).await;
            lost += self.broker.purge(&queue).await.unwrap();
        }
        lost
    }

    async fn output(&self) -> BTreeMap<String, String> {
        let store = self.memory.at_once();
        let folder: StoreKey = layout::output(&self.fixture.pipeline().name);
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

/// The datums from `first` on, at a pace decided by the schedule, so leaders cut different segments.
fn expansion(scheduler: Scheduler, first: u64) -> DatumSource {
    let (sender, entries) = mpsc::channel(4);
    let feed = async move {
        for index in first..DATUMS {
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

/// A schedule: leaders begin at random times, before their predecessors have ended. Returns the number of messages that
/// deposed leaders purged.
async fn run_schedule(seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new().await;
    if random.bool() {
        let lag = Duration::from_millis(random.u64(0..LONGEST_LAG));
        world.memory.delay_listings(lag);
    }
    let purging = {
        let (world, seed) = (world.clone(), random.u64(..));
        spawn_local(async move { world.purge_late(seed).await })
    };
    let workers = [1, 2].map(|worker| {
        let world = world.clone();
        let seed = random.u64(..);
        spawn_local(async move { world.work(seed.wrapping_add(worker)).await })
    });
    let mut leaders = Vec::new();
    for _ in 0..random.u64(1..4) {
        let (world, seed) = (world.clone(), random.u64(..));
        leaders.push(spawn_local(async move { Box::pin(world.lead(seed)).await }));
        let millis = if random.bool() { 1_500 } else { 110_000 };
        sleep(Duration::from_millis(random.u64(0..millis))).await;
    }
    // The last leader comes back until the jobs have ended, as the broker gives it the leadership again.
    let leading = async {
        while let Err(error) = world.lead(random.u64(..)).await {
            tell(format_args!("{error:?}"));
            assert!(error.is_passing(), "seed {seed}: {error}");
            sleep(Duration::from_millis(random.u64(0..500))).await;
        }
    };
    let led = timeout(DEADLINE, leading).await;
    assert!(
        led.is_ok(),
        "seed {seed}: a job stands for ever: {}",
        world.describe().await
    );
    for leader in leaders {
        let ended = timeout(DEADLINE, leader).await;
        match ended.expect("an earlier leader ends").unwrap() {
            Ok(()) => {}
            Err(error) => assert!(error.is_passing(), "seed {seed}: {error}"),
        }
    }
    world.check(seed).await;
    workers.iter().for_each(tokio::task::JoinHandle::abort);
    purging.await.unwrap()
}

/// Shows a step of a leader if only one seed is run.
fn tell(step: std::fmt::Arguments<'_>) {
    if seeds().count() == 1 {
        eprintln!("{:?}: {step}", tokio::time::Instant::now());
    }
}

#[test]
fn whatever_several_leaders_do_a_job_has_one_manifest_and_the_folder_is_of_the_newest_job() {
    let lost: u64 = each_seed(run_schedule).sum();
    assert!(lost > 0 || seeds().count() < 20, "no purge hit a message");
}
