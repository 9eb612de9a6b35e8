//! A coordinator under test: a real folder, the embedded queue, and a fake worker without commands.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::datum::{
    Cause, CommitUnit, Datum, IndexRanges, Output, Verdict, VerdictState, content_hash,
};
use drover_shared::id::JobId;
use drover_shared::job::{Counts, JobRecord};
use drover_shared::ledger::{Ledger, SetVerdict};
use drover_shared::pipeline::{Pipeline, from_value};
use drover_shared::queue::{Broker, Consumer, Embedded, Queue};
use drover_shared::store::{Location, Store, layout};
use drover_shared::wire::{self, Event, Message, Report, TaskDatums, decode, encode_for};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::samples::verdict;
use crate::coordinator::{
    Assignment, Control, CoordinateError, Fence, JobContext, REPORTS, Scope, Snapshot, resume,
};

/// Longest wait in a test.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A store with a folder `in` of `files` files.
pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub scratch: tempfile::TempDir,
    pub ledger: Ledger,
    pub spec: Value,
}

/// Behavior of the fake worker.
#[derive(Clone, Copy, Default)]
pub struct WorkerBehavior {
    /// Datums with paths of this ending fail.
    pub fails: Option<&'static str>,
    /// Datums with paths of this ending fail with a second cause.
    pub fails_otherwise: Option<&'static str>,
    /// Every successful datum writes a file named after its input, with the input's index as content.
    pub writes: bool,
    /// Every report is sent twice.
    pub stutters: bool,
    /// Reports refer to verdicts in the ledger.
    pub refers: bool,
    /// Reports carry no authentication code, as those of older versions.
    pub is_old: bool,
    /// The whole process dies after so many commits.
    pub dies_after: Option<u64>,
    /// The process dies between the last commit and its report.
    pub dies_silently: bool,
}

impl Fixture {
    pub async fn new(files: u64) -> Self {
        Self::at(tempfile::tempdir().unwrap(), files).await
    }

    /// A store in `folder`, with `files` more input files.
    pub async fn at(folder: tempfile::TempDir, files: u64) -> Self {
        std::fs::create_dir_all(folder.path().join("in")).unwrap();
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
            keep_going: false,
            halt: None,
            trace: None,
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

    pub fn context(
        &self,
        broker: &Arc<Embedded>,
        control: &Control,
        record: &JobRecord,
    ) -> JobContext {
        JobContext {
            ledger: self.ledger.clone(),
            broker: Arc::clone(broker) as _,
            fence: Fence::Lock,
            watch: watch::channel(Snapshot::new(record.clone())).0,
            control: control.clone(),
            scratch: self.scratch.path().to_owned(),
            workers: NonZeroU32::MIN,
            window: 4,
            work: Arc::default(),
        }
    }

    /// A leadership of the pipeline by `who`; deposes earlier leaders.
    pub async fn fence(&self, who: &str) -> Fence {
        let pipeline = self.pipeline().name;
        Fence::begin(&self.ledger, &pipeline, who).await.unwrap()
    }

    /// Runs a job to its end.
    pub async fn run(&self, behavior: WorkerBehavior) -> JobRecord {
        self.run_scope(Scope::Everything, behavior).await.unwrap()
    }

    pub async fn run_scope(
        &self,
        scope: Scope,
        behavior: WorkerBehavior,
    ) -> Result<JobRecord, CoordinateError> {
        self.run_assignment(self.assignment(scope), behavior).await
    }

    pub async fn run_assignment(
        &self,
        assignment: Assignment,
        behavior: WorkerBehavior,
    ) -> Result<JobRecord, CoordinateError> {
        let broker = self.broker().await;
        let context = self.context(&broker, &control(), &assignment.record);
        let mut reports = self.reports(&broker).await;
        tokio::select! {
            ended = timeout(DEADLINE, Box::pin(resume(assignment, context, &mut *reports))) => ended.expect("the job hangs"),
            () = self.run_fake_worker(&broker, behavior) => panic!("the worker died"),
        }
    }

    /// Starts a job; the whole process dies with the worker. Returns the job as assigned.
    pub async fn cut_off(&self, behavior: WorkerBehavior) -> Assignment {
        self.cut_off_scope(Scope::Everything, behavior).await
    }

    pub async fn cut_off_scope(&self, scope: Scope, behavior: WorkerBehavior) -> Assignment {
        let assignment = self.assignment(scope);
        let broker = self.broker().await;
        let context = self.context(&broker, &control(), &assignment.record);
        let mut reports = self.reports(&broker).await;
        tokio::select! {
            ended = timeout(DEADLINE, Box::pin(resume(assignment.clone(), context, &mut *reports))) => panic!("it ended: {ended:?}"),
            () = self.run_fake_worker(&broker, behavior) => assignment,
        }
    }

    /// Resumes an interrupted job and runs the job to its end.
    pub async fn resume(&self, mut assignment: Assignment, behavior: WorkerBehavior) -> JobRecord {
        assignment.record = self.ledger.job(assignment.record.id).await.unwrap();
        let broker = self.broker().await;
        let context = self.context(&broker, &control(), &assignment.record);
        let mut reports = self.reports(&broker).await;
        tokio::select! {
            ended = timeout(DEADLINE, Box::pin(resume(assignment, context, &mut *reports))) => ended.expect("the job hangs").unwrap(),
            () = self.run_fake_worker(&broker, behavior) => panic!("the worker died"),
        }
    }

    /// Consumes datums and commits verdicts until the worker dies. It never holds a datum when it is asked.
    pub async fn run_fake_worker(&self, broker: &Arc<Embedded>, behavior: WorkerBehavior) {
        tokio::select! {
            () = self.consume_datums(broker, behavior) => {}
            never = answer_inquiries(broker.as_ref(), &self.ledger, "worker-1", &IndexRanges::default) => match never {},
        }
    }

    async fn consume_datums(&self, broker: &Arc<Embedded>, behavior: WorkerBehavior) {
        let name = self.pipeline().name;
        let mut tasks = broker
            .consume(&Queue::Datums(name.clone()), 2)
            .await
            .unwrap();
        let mut committed = 0;
        loop {
            if behavior.dies_after == Some(committed) && !behavior.dies_silently {
                return;
            }
            let delivery = tasks.next().await.unwrap();
            let Ok(Message::Task(task)) = decode(&delivery.body) else {
                panic!("not a task")
            };
            let TaskDatums::Inline(datums) = task.datums else {
                panic!("not inline")
            };
            for datum in datums {
                let mut mine = outcome(&datum, behavior);
                if behavior.writes && mine.state == VerdictState::Success {
                    self.write_output(task.job, &datum, &mut mine).await;
                }
                let unit = task.unit.unwrap_or(CommitUnit::Single);
                let commits = self.ledger.commit_all(task.job, unit, vec![mine]);
                let SetVerdict { verdict, first } = commits.await.unwrap().remove(0);
                committed += 1;
                if behavior.dies_after == Some(committed) && behavior.dies_silently {
                    return;
                }
                let event = if behavior.refers {
                    let index = verdict.index;
                    Event::Committed { index, first }
                } else {
                    let verdict = Box::new(verdict);
                    Event::Ended { verdict, first }
                };
                let report = Message::Reports(vec![Report {
                    job: task.job,
                    redeliveries: 0,
                    event,
                }]);
                let key = self.ledger.job_key(task.job).await.unwrap();
                let key = key.filter(|_| !behavior.is_old);
                let report = encode_for(&report, key.as_ref()).unwrap();
                for _ in 0..=u8::from(behavior.stutters) {
                    broker
                        .publish(&Queue::Reports(name.clone()), report.clone())
                        .await
                        .unwrap();
                }
            }
            delivery.ack().await.unwrap();
        }
    }

    /// Stages the output of a datum and adds it to the verdict.
    async fn write_output(&self, job: JobId, datum: &Datum, verdict: &mut Verdict) {
        let path = datum.inputs[0].path.clone();
        let file = self.scratch.path().join("staging");
        std::fs::write(&file, &path).unwrap();
        let key = layout::staged_file(job, &verdict.staged, 0);
        let store = self.ledger.store();
        store.adopt(&file, &key).await.unwrap();
        verdict.outputs = vec![Output {
            size: path.len() as u64,
            hash: Some(content_hash(path.as_bytes()).unwrap()),
            version: Some(store.entry(&key).await.unwrap().version),
            path,
        }];
    }

    /// Asserts that the output folder holds what [`WorkerBehavior::writes`] writes for each of `files` inputs.
    pub fn assert_output(&self, files: u64) {
        let folder = self.folder.path().join("out");
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected: Vec<_> = (0..files).map(|file| format!("{file:04}")).collect();
        assert_eq!(names, expected);
        for name in names {
            let content = std::fs::read_to_string(folder.join(&name)).unwrap();
            assert_eq!(content, format!("/{name}"));
        }
    }

    /// Removes the staged output of a datum of `job`, and the published file.
    pub async fn lose_output(&self, job: JobId, index: u64) {
        let staged = layout::staged_file(job, &format!("claim-{index}"), 0);
        self.ledger.store().delete(&staged).await.unwrap();
        let published = self.folder.path().join(format!("out/{index:04}"));
        if published.exists() {
            std::fs::remove_file(published).unwrap();
        }
    }

    /// Indexes of datums run in the job itself, ascending.
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

    /// The verdicts of a job; panics if a datum has two.
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

/// Answers the leader's inquiries, as the worker of the name, with the datums that `held` tells.
pub async fn answer_inquiries(
    broker: &Embedded,
    ledger: &Ledger,
    name: &str,
    held: &dyn Fn() -> IndexRanges,
) -> Infallible {
    let mut hints = broker.listen(name).await.unwrap();
    loop {
        let hint = hints.next().await.unwrap();
        let asked = decode(&hint.body);
        hint.ack().await.unwrap();
        let worker = name.parse().unwrap();
        let (pipeline, job, event) = match asked {
            Ok(Message::Control(wire::Control::ReportHeld {
                pipeline,
                job,
                inquiry,
                ..
            })) => {
                let datums = held();
                let event = Event::Held {
                    inquiry,
                    worker,
                    datums,
                };
                (pipeline, job, event)
            }
            Ok(Message::Control(wire::Control::Close { job })) => {
                let pipeline = ledger.job(job).await.unwrap().pipeline;
                (pipeline, job, Event::Released { worker })
            }
            _ => continue,
        };
        let answer = Message::Reports(vec![Report {
            job,
            redeliveries: 0,
            event,
        }]);
        let key = ledger.job_key(job).await.unwrap();
        let answer = encode_for(&answer, key.as_ref());
        let queue = Queue::Reports(pipeline);
        broker.publish(&queue, answer.unwrap()).await.unwrap();
    }
}

/// The control of a job whose workers release everything at a stop.
pub fn control() -> Control {
    let control = Control::new(DEADLINE);
    control.release();
    control
}

fn outcome(datum: &Datum, behavior: WorkerBehavior) -> Verdict {
    let ends = |end: Option<&str>| end.is_some_and(|end| datum.inputs[0].path.ends_with(end));
    let cause = match (ends(behavior.fails), ends(behavior.fails_otherwise)) {
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

/// Cause of a datum that exits with `code`.
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
