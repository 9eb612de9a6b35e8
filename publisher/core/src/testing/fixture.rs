//! A coordinator's surroundings for tests: a real folder, the embedded queue, and a worker that only pretends to run
//! commands.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::datum::{Cause, Datum, Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::job::{Counts, JobRecord};
use drover_shared::ledger::{Commit, Ledger};
use drover_shared::pipeline::{Pipeline, from_value};
use drover_shared::queue::{Broker, Consumer, Embedded, Queue};
use drover_shared::store::{Location, Store};
use drover_shared::wire::{Datums, Event, Message, Report, decode, encode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::samples::verdict;
use crate::coordinator::{
    Assignment, CoordinateError, Fence, Pace, REPORTS, Scope, Snapshot, Tools, coordinate, resume,
};

/// No test waits longer than this.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A store with a folder `in` of `files` files.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub scratch: tempfile::TempDir,
    pub ledger: Ledger,
    pub spec: Value,
}

/// What a pretended worker does.
#[derive(Clone, Copy, Default)]
pub struct Habits {
    /// Every datum whose path ends so fails.
    pub fails: Option<&'static str>,
    /// Every datum whose path ends so fails with another cause.
    pub fails_otherwise: Option<&'static str>,
    /// It tells everything twice.
    pub stutters: bool,
    /// It dies, with the process, once it has committed so many.
    pub dies_after: Option<u64>,
    /// It dies between its last commit and the report.
    pub dies_silently: bool,
}

impl Bench {
    pub async fn new(files: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        for file in 0..files {
            std::fs::write(
                folder.path().join(format!("in/{file:04}")),
                format!("{file}"),
            )
            .unwrap();
        }
        let store = Store::open(&Location::folder(folder.path()).unwrap())
            .await
            .unwrap();
        let spec = json!({
            "pipeline": {"name": "out"},
            "transform": {"cmd": ["true"]},
            "input": {"pfs": {"repo": "in", "glob": "/*"}},
        });
        Self {
            folder,
            scratch: tempfile::tempdir().unwrap(),
            ledger: Ledger::new(store),
            spec,
        }
    }

    pub fn pipeline(&self) -> Pipeline {
        from_value(&self.spec).unwrap()
    }

    pub fn assignment(&self, scope: Scope) -> Assignment {
        let pipeline = self.pipeline();
        let record = JobRecord::new(JobId::generate(), pipeline.name.clone(), Timestamp::now());
        Assignment {
            pipeline,
            spec: self.spec.clone(),
            record,
            scope,
            reprocess: false,
        }
    }

    pub async fn broker(&self) -> Arc<Embedded> {
        let broker = Arc::new(Embedded::new(1000));
        broker.declare(&self.pipeline().name).await.unwrap();
        broker
    }

    pub async fn reports(&self, broker: &Embedded) -> Box<dyn Consumer> {
        let queue = Queue::Reports(self.pipeline().name);
        broker.consume(&queue, REPORTS).await.unwrap()
    }

    pub fn tools(
        &self,
        broker: &Arc<Embedded>,
        pace: watch::Receiver<Pace>,
        record: &JobRecord,
    ) -> Tools {
        let idle = CancellationToken::new();
        idle.cancel();
        Tools {
            ledger: self.ledger.clone(),
            broker: Arc::clone(broker) as _,
            fence: Fence::Lock,
            watch: watch::channel(Snapshot::new(record.clone())).0,
            pace,
            cancel: CancellationToken::new(),
            idle,
            letting_go: DEADLINE,
            scratch: self.scratch.path().to_owned(),
            workers: NonZeroU32::MIN,
            window: 4,
        }
    }

    /// Runs a job of everything to its end.
    pub async fn run(&self, habits: Habits) -> JobRecord {
        self.run_scope(Scope::Everything, habits).await.unwrap()
    }

    pub async fn run_scope(
        &self,
        scope: Scope,
        habits: Habits,
    ) -> Result<JobRecord, CoordinateError> {
        let assignment = self.assignment(scope);
        let broker = self.broker().await;
        let (_pace, pace) = watch::channel(Pace::Go);
        let tools = self.tools(&broker, pace, &assignment.record);
        let mut reports = self.reports(&broker).await;
        tokio::select! {
            ended = timeout(DEADLINE, coordinate(assignment, tools, &mut *reports)) => ended.expect("the job hangs"),
            () = self.pretend(&broker, habits) => panic!("the worker died"),
        }
    }

    /// Begins a job of everything; the whole process dies when the worker does. Returns the job as it was assigned.
    pub async fn cut_off(&self, habits: Habits) -> Assignment {
        self.cut_off_scope(Scope::Everything, habits).await
    }

    pub async fn cut_off_scope(&self, scope: Scope, habits: Habits) -> Assignment {
        let assignment = self.assignment(scope);
        let broker = self.broker().await;
        let (_pace, pace) = watch::channel(Pace::Go);
        let tools = self.tools(&broker, pace, &assignment.record);
        let mut reports = self.reports(&broker).await;
        tokio::select! {
            ended = timeout(DEADLINE, coordinate(assignment.clone(), tools, &mut *reports)) => panic!("it ended: {ended:?}"),
            () = self.pretend(&broker, habits) => assignment,
        }
    }

    /// Resumes a job that was cut off, and sees it to its end.
    pub async fn resume(&self, mut assignment: Assignment, habits: Habits) -> JobRecord {
        assignment.record = self.ledger.job(assignment.record.id).await.unwrap();
        let broker = self.broker().await;
        let (_pace, pace) = watch::channel(Pace::Go);
        let tools = self.tools(&broker, pace, &assignment.record);
        let mut reports = self.reports(&broker).await;
        tokio::select! {
            ended = timeout(DEADLINE, resume(assignment, tools, &mut *reports)) => ended.expect("the job hangs").unwrap(),
            () = self.pretend(&broker, habits) => panic!("the worker died"),
        }
    }

    /// Takes datums and commits what became of them, until it dies.
    pub async fn pretend(&self, broker: &Arc<Embedded>, habits: Habits) {
        let name = self.pipeline().name;
        let mut tasks = broker
            .consume(&Queue::Datums(name.clone()), 2)
            .await
            .unwrap();
        let mut committed = 0;
        loop {
            if habits.dies_after == Some(committed) && !habits.dies_silently {
                return;
            }
            let delivery = tasks.next().await.unwrap();
            let Ok(Message::Task(task)) = decode(&delivery.body) else {
                panic!("not a task")
            };
            let Datums::Inline(datums) = task.datums else {
                panic!("not inline")
            };
            for datum in datums {
                let mine = outcome(&datum, habits);
                let (verdict, first) = match self.ledger.commit(task.job, &mine).await.unwrap() {
                    Commit::Won => (mine, true),
                    Commit::Lost(earlier) => (*earlier, false),
                };
                committed += 1;
                if habits.dies_after == Some(committed) && habits.dies_silently {
                    return;
                }
                let event = Event::Ended {
                    verdict: Box::new(verdict),
                    first,
                };
                let report = encode(&Message::Reports(vec![Report {
                    job: task.job,
                    redeliveries: 0,
                    event,
                }]))
                .unwrap();
                for _ in 0..=u8::from(habits.stutters) {
                    broker
                        .publish(&Queue::Reports(name.clone()), report.clone())
                        .await
                        .unwrap();
                }
            }
            delivery.ack().await.unwrap();
        }
    }

    /// The datums of a job that were run in it, ascending.
    pub async fn ran(&self, job: JobId) -> Vec<u64> {
        let mut ran = Vec::new();
        for segment in self.ledger.segments(job).await.unwrap() {
            let verdicts = self.ledger.verdicts(job, segment).await.unwrap();
            let own = verdicts
                .iter()
                .filter(|verdict| verdict.taken_from.is_none());
            ran.extend(own.map(|verdict| verdict.index));
        }
        ran
    }

    /// How often each datum of a job was committed: the ledger allows once.
    pub async fn verdicts(&self, job: JobId) -> BTreeMap<u64, VerdictState> {
        let mut verdicts = BTreeMap::new();
        for segment in self.ledger.segments(job).await.unwrap() {
            for verdict in self.ledger.verdicts(job, segment).await.unwrap() {
                assert_eq!(
                    verdicts.insert(verdict.index, verdict.state),
                    None,
                    "datum {} twice",
                    verdict.index
                );
            }
        }
        verdicts
    }
}

fn outcome(datum: &Datum, habits: Habits) -> Verdict {
    let ends = |end: Option<&str>| end.is_some_and(|end| datum.inputs[0].path.ends_with(end));
    let cause = match (ends(habits.fails), ends(habits.fails_otherwise)) {
        (true, _) => Some(cause(1)),
        (_, true) => Some(cause(2)),
        _ => None,
    };
    let state = match cause {
        Some(_) => VerdictState::Failed,
        None => VerdictState::Success,
    };
    Verdict {
        datum: datum.id,
        cause,
        ..verdict(datum.index, state, &[])
    }
}

/// Why a datum fails that ends with `code`.
pub fn cause(code: i32) -> Cause {
    let last_line = "no such column".to_owned();
    Cause::Exit { code, last_line }
}

pub fn counts(total: u64, processed: u64, skipped: u64, failed: u64) -> Counts {
    Counts {
        total,
        processed,
        skipped,
        failed,
        recovered: 0,
    }
}
