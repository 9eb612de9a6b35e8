//! A worker on a folder of its own, with a queue of its own, and real processes.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drover_shared::datum::{
    CommitUnit, ContentTag, Datum, DatumInput, InputKind, StageStats, Verdict, VerdictState,
};
use drover_shared::id::{DatumId, JobId, PipelineName, WorkerId};
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::{Broker, Consumer, Embedded, Queue};
use drover_shared::store::{Location, Store, layout};
use drover_shared::wire::{self, Event, Message, Report, Task, TaskDatums};
use drover_worker::{Cancellations, PipelineSelection, Settings, WorkError, work};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Deadline for every expected condition.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A script that notes its start, then waits for the gate.
pub(crate) const WAIT_FOR_GO: &str =
    "touch $FARM/running; until test -e $FARM/go; do sleep 0.01; done; echo x > /pfs/out/x";

/// A store, a queue and a job; workers as they are wanted.
pub(crate) struct Farm {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) ledger: Ledger,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) pipeline: PipelineName,
    pub(crate) job: JobId,
    pub(crate) tokens: Tokens,
    pub(crate) stops: Cancellations,
    reports: Box<dyn Consumer>,
    /// Reports of messages that held several.
    heard: VecDeque<Report>,
}

impl Farm {
    /// A job that runs this shell script over the files of the repo `in`.
    pub(crate) async fn new(script: &str) -> Self {
        Self::with(json!({"transform": {"cmd": ["sh", "-c", script]}})).await
    }

    /// A job of this spec; name and input need not be given.
    pub(crate) async fn with(spec: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        let location = Location::Folder(dir.path().to_owned());
        let store = Store::open(&location).await.unwrap();
        let pipeline: PipelineName = "p".parse().unwrap();
        let broker: Arc<dyn Broker> = Arc::new(Embedded::new(1_000));
        broker.declare(&pipeline).await.unwrap();
        let reports = Queue::Reports(pipeline.clone());
        let reports = broker.consume(&reports, 100).await.unwrap();
        let tokens = Tokens::new();
        let stops = Cancellations::new(&tokens.hard);
        let mut farm = Self {
            dir,
            ledger: Ledger::new(store),
            broker,
            pipeline,
            job: JobId::generate(),
            tokens,
            stops,
            reports,
            heard: VecDeque::new(),
        };
        farm.open_job(spec).await;
        farm
    }

    /// Opens a job of the spec; later steps refer to the job.
    pub(crate) async fn open_job(&mut self, mut spec: Value) {
        spec["pipeline"] = json!({"name": self.pipeline});
        if spec.get("input").is_none() {
            spec["input"] = json!({"pfs": {"repo": "in", "glob": "/*"}});
        }
        self.job = JobId::generate();
        let record = JobRecord::new(self.job, self.pipeline.clone(), Timestamp::now());
        self.ledger.open_job(&record, &spec).await.unwrap();
    }

    /// Goes on with another pipeline, and a job of the spec.
    pub(crate) async fn change_pipeline(&mut self, name: &str, spec: Value) {
        self.pipeline = name.parse().unwrap();
        self.broker.declare(&self.pipeline).await.unwrap();
        self.open_job(spec).await;
    }

    /// Goes on with another store, and a new job of the same spec.
    pub(crate) async fn move_to(&mut self, store: Store) {
        let spec = self.ledger.spec(self.job).await.unwrap();
        self.ledger = Ledger::new(store);
        self.open_job(spec).await;
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Writes a file of the repo `in`.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path("in").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The datum of one file or directory of the repo `in`, as it is now.
    pub(crate) fn datum(&self, index: u64, path: &str) -> Datum {
        let file = self.path("in").join(path);
        let kind = if file.is_dir() {
            InputKind::Dir
        } else {
            InputKind::File
        };
        Datum {
            index,
            id: DatumId::from_hash(&blake3::hash(path.as_bytes())),
            inputs: vec![DatumInput {
                name: "in".into(),
                repo: "in".into(),
                path: format!("/{path}"),
                kind,
                size: size(&file),
                join_on: None,
                group_by: None,
                tag: ContentTag::new("blake3:00"),
                leaf: 0,
                version: None,
            }],
        }
    }

    pub(crate) async fn publish(&self, datums: Vec<Datum>) {
        self.publish_task(TaskDatums::Inline(datums)).await;
    }

    /// Publishes datums that are committed as a unit.
    pub(crate) async fn publish_unit(&self, datums: TaskDatums, unit: CommitUnit) {
        self.publish_message(datums, Some(unit), false, None).await;
    }

    pub(crate) async fn publish_task(&self, datums: TaskDatums) {
        self.publish_datums(datums, false).await;
    }

    /// Publishes datums that an earlier message may have brought.
    pub(crate) async fn publish_again(&self, datums: TaskDatums) {
        self.publish_datums(datums, true).await;
    }

    /// Publishes a second copy of running datums.
    pub(crate) async fn publish_copy(&self, datums: TaskDatums) {
        let task = self.task(datums).await;
        self.publish_signed(Task {
            again: true,
            copy: true,
            ..task
        })
        .await;
    }

    async fn publish_datums(&self, datums: TaskDatums, again: bool) {
        self.publish_in_term(datums, again, None).await;
    }

    /// Publishes datums as the leader of a term.
    pub(crate) async fn publish_in_term(&self, datums: TaskDatums, again: bool, term: Option<u64>) {
        self.publish_message(datums, None, again, term).await;
    }

    async fn publish_message(
        &self,
        datums: TaskDatums,
        unit: Option<CommitUnit>,
        again: bool,
        term: Option<u64>,
    ) {
        let task = self.task(datums).await;
        self.publish_signed(Task {
            unit,
            again,
            term,
            ..task
        })
        .await;
    }

    async fn task(&self, datums: TaskDatums) -> Task {
        let identity = self.ledger.identity().await.unwrap();
        Task {
            job: self.job,
            datums,
            unit: None,
            total: None,
            again: false,
            copy: false,
            store: identity.map(|identity| identity.id),
            term: None,
            trace: None,
        }
    }

    async fn publish_signed(&self, task: Task) {
        let key = self.ledger.job_key(self.job).await.unwrap();
        let task = wire::encode_for(&Message::Task(task), key.as_ref());
        self.publish_body(task.unwrap()).await;
    }

    pub(crate) async fn publish_body(&self, body: Bytes) {
        self.broker.publish(&self.datums(), body).await.unwrap();
    }

    pub(crate) fn datums(&self) -> Queue {
        Queue::Datums(self.pipeline.clone())
    }

    /// How many datums' messages lie ready; they are gone then.
    pub(crate) async fn left(&self) -> u64 {
        self.broker.purge(&self.datums()).await.unwrap()
    }

    /// How many messages lie in the dead queue.
    pub(crate) async fn dead(&self) -> u64 {
        let dead = Queue::Dead(self.pipeline.clone());
        self.broker.depth(&dead).await.unwrap().ready
    }

    /// A success of another worker.
    pub(crate) fn verdict_of_another(&self, index: u64) -> Verdict {
        Verdict {
            index,
            datum: self.datum(index, "a").id,
            state: VerdictState::Success,
            attempts: 1,
            worker: "another".parse().unwrap(),
            cause: None,
            staged: String::new(),
            outputs: Vec::new(),
            stats: StageStats::default(),
            started: Timestamp::now(),
            finished: Timestamp::now(),
            usage: None,
            taken_from: None,
        }
    }

    /// Leaves the mark of a worker that died while it ran the datum.
    pub(crate) async fn mark_death(&self, index: u64) {
        let worker = WorkerId::generate("gone");
        let marked = self
            .ledger
            .mark_attempt(self.job, index, &format!("{worker}.0"), &worker)
            .await;
        marked.unwrap();
    }

    /// Settings of a worker with one slot, whose commands find the farm's folder at `$FARM`.
    pub(crate) fn settings(&self) -> Settings {
        let scratch = self.path(layout::scratch().as_str());
        let mut settings = Settings::new(WorkerId::generate("test"), NonZeroU16::MIN, scratch);
        settings.runner = env!("CARGO_BIN_EXE_drover-worker").into();
        settings.term_grace = Duration::from_millis(500);
        settings.death_grace = Duration::from_millis(100);
        settings.late_segment_wait = Duration::from_millis(100);
        settings
            .environment
            .insert("FARM".into(), self.dir.path().display().to_string());
        settings
    }

    /// Starts a worker.
    pub(crate) fn work(&self, settings: Settings) -> JoinHandle<Result<(), WorkError>> {
        self.serve(settings, vec![self.pipeline.clone()].into())
    }

    /// Starts a worker for the selected pipelines.
    pub(crate) fn serve(
        &self,
        settings: Settings,
        selection: PipelineSelection,
    ) -> JoinHandle<Result<(), WorkError>> {
        self.tokens.tracker.spawn(work(
            settings,
            self.ledger.clone(),
            Arc::clone(&self.broker),
            selection,
            self.stops.clone(),
            self.tokens.clone(),
        ))
    }

    /// The next report.
    pub(crate) async fn report(&mut self) -> Report {
        loop {
            if let Some(report) = self.heard.pop_front() {
                return report;
            }
            let delivery = timeout(SOON, self.reports.next())
                .await
                .expect("a report in time")
                .unwrap();
            let Ok(Message::Reports(reports)) = wire::decode(&delivery.body) else {
                panic!("no reports: {:?}", delivery.body);
            };
            self.heard.extend(reports);
            delivery.ack().await.unwrap();
        }
    }

    /// The next datum to end, and whether this was the first end of it.
    pub(crate) async fn ended(&mut self) -> (Verdict, bool) {
        loop {
            if let Event::Ended { verdict, first } = self.report().await.event {
                return (*verdict, first);
            }
        }
    }

    /// Runs one datum over `path` to the end, on a worker of its own.
    pub(crate) async fn run_one(&mut self, path: &str) -> Verdict {
        self.publish(vec![self.datum(0, path)]).await;
        let worker = self.work(self.settings());
        let (verdict, first) = self.ended().await;
        assert!(first);
        self.tokens.soft.cancel();
        timeout(SOON, worker)
            .await
            .expect("the worker ends")
            .unwrap()
            .unwrap();
        verdict
    }

    /// The text of an output file of a verdict.
    pub(crate) fn output(&self, verdict: &Verdict, path: &str) -> String {
        let n = verdict
            .outputs
            .iter()
            .position(|output| output.path == path);
        let n = n.unwrap_or_else(|| panic!("{path} is not among {:?}", verdict.outputs));
        let key = layout::staged_file(self.job, &verdict.staged, n);
        std::fs::read_to_string(self.path(key.as_str())).unwrap()
    }

    /// All files staged for the job.
    pub(crate) fn staged_files(&self) -> Vec<PathBuf> {
        let staged = self.path(layout::staged_file(self.job, "x", 0).as_str());
        match std::fs::read_dir(staged.parent().unwrap()) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// All logs of a datum, concatenated.
    pub(crate) async fn logs(&self, index: u64) -> Vec<String> {
        let mut texts = Vec::new();
        for log in self.ledger.logs(self.job, index).await.unwrap() {
            let bytes = self.ledger.store().get(&log.key).await.unwrap();
            texts.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        texts
    }
}

fn size(path: &Path) -> u64 {
    if !path.is_dir() {
        return std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    }
    let entries = std::fs::read_dir(path).unwrap();
    entries.map(|entry| size(&entry.unwrap().path())).sum()
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < SOON, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a file is there.
pub(crate) async fn exists(path: &Path) {
    eventually(&path.display().to_string(), || path.exists()).await;
}

/// Opens the gate that a script waits at.
pub(crate) fn open(gate: &Path) {
    std::fs::write(gate, "").unwrap();
}
