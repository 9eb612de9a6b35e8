//! A coordinator over a real folder and the embedded queue, with a worker that only pretends to run commands.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::datum::{Cause, Datum, Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::job::{Counts, JobRecord, JobState};
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
use super::{
    Assignment, CoordinateError, Fence, Pace, REPORTS, Scope, Snapshot, Tools, coordinate, resume,
};

/// No test waits longer than this.
const DEADLINE: Duration = Duration::from_secs(30);

/// A store with a folder `in` of `files` files.
struct Bench {
    folder: tempfile::TempDir,
    scratch: tempfile::TempDir,
    ledger: Ledger,
    spec: Value,
}

/// What a pretended worker does.
#[derive(Clone, Copy, Default)]
struct Habits {
    /// Every datum whose path ends so fails.
    fails: Option<&'static str>,
    /// It tells everything twice.
    stutters: bool,
    /// It dies, with the process, once it has committed so many.
    dies_after: Option<u64>,
    /// It dies between its last commit and the report.
    dies_silently: bool,
}

impl Bench {
    async fn new(files: u64) -> Self {
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

    fn pipeline(&self) -> Pipeline {
        from_value(&self.spec).unwrap()
    }

    fn assignment(&self, scope: Scope) -> Assignment {
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

    async fn broker(&self) -> Arc<Embedded> {
        let broker = Arc::new(Embedded::new(1000));
        broker.declare(&self.pipeline().name).await.unwrap();
        broker
    }

    async fn reports(&self, broker: &Embedded) -> Box<dyn Consumer> {
        let queue = Queue::Reports(self.pipeline().name);
        broker.consume(&queue, REPORTS).await.unwrap()
    }

    fn tools(
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
    async fn run(&self, habits: Habits) -> JobRecord {
        self.run_scope(Scope::Everything, habits).await.unwrap()
    }

    async fn run_scope(&self, scope: Scope, habits: Habits) -> Result<JobRecord, CoordinateError> {
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

    /// Begins a job; the whole process dies when the worker does. Returns the job as it was assigned.
    async fn cut_off(&self, habits: Habits) -> Assignment {
        let assignment = self.assignment(Scope::Everything);
        let broker = self.broker().await;
        let (_pace, pace) = watch::channel(Pace::Go);
        let tools = self.tools(&broker, pace, &assignment.record);
        let mut reports = self.reports(&broker).await;
        tokio::select! {
            ended = timeout(DEADLINE, coordinate(assignment.clone(), tools, &mut *reports)) => panic!("it ended: {ended:?}"),
            () = self.pretend(&broker, habits) => assignment,
        }
    }

    /// Takes datums and commits what became of them, until it dies.
    async fn pretend(&self, broker: &Arc<Embedded>, habits: Habits) {
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
                let report = encode(&Message::Report(Report {
                    job: task.job,
                    redeliveries: 0,
                    event,
                }))
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

    /// How often each datum of a job was committed: the ledger allows once.
    async fn verdicts(&self, job: JobId) -> BTreeMap<u64, VerdictState> {
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
    let fails = habits
        .fails
        .is_some_and(|end| datum.inputs[0].path.ends_with(end));
    let state = if fails {
        VerdictState::Failed
    } else {
        VerdictState::Success
    };
    let cause = fails.then(|| Cause::Exit {
        code: 1,
        last_line: "no such column".to_owned(),
    });
    Verdict {
        datum: datum.id,
        cause,
        ..verdict(datum.index, state, &[])
    }
}

fn counts(total: u64, processed: u64, skipped: u64, failed: u64) -> Counts {
    Counts {
        total,
        processed,
        skipped,
        failed,
        recovered: 0,
    }
}

#[tokio::test]
async fn a_job_ends_when_its_manifest_says_so_whatever_is_told_twice() {
    let bench = Bench::new(100).await;
    let record = bench
        .run(Habits {
            stutters: true,
            ..Habits::default()
        })
        .await;
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(100, 100, 0, 0))
    );
    assert!(record.duplicates >= 99, "{}", record.duplicates);
    assert_eq!(bench.verdicts(record.id).await.len(), 100);
    assert_eq!(
        bench.ledger.job(record.id).await.unwrap(),
        record,
        "the record is saved as it is told"
    );
}

#[tokio::test]
async fn the_next_job_skips_what_succeeded_even_in_a_failed_one() {
    let bench = Bench::new(20).await;
    let failed = bench
        .run(Habits {
            fails: Some("7"),
            ..Habits::default()
        })
        .await;
    assert_eq!(
        (failed.state, failed.datums),
        (JobState::Failure, counts(20, 18, 0, 2))
    );
    let reason = failed.reason.unwrap();
    assert_eq!(
        reason,
        "2 of 20 datums failed: exit 1: 'no such column' (2)"
    );
    assert_eq!(bench.ledger.failures(failed.id).await.unwrap().count(), 2);
    let next = bench.run(Habits::default()).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(20, 2, 18, 0))
    );
    let last = bench.run(Habits::default()).await;
    assert_eq!(
        (last.state, last.datums),
        (JobState::Success, counts(20, 0, 20, 0))
    );
}

#[tokio::test]
async fn an_empty_match_is_a_success() {
    let bench = Bench::new(0).await;
    let record = bench.run(Habits::default()).await;
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, Counts::default())
    );
}

#[tokio::test]
async fn wherever_a_job_is_cut_off_it_can_be_resumed_under_its_id() {
    for dies_silently in [false, true] {
        for dies_after in [1, 7, 8, 9, 50, 72, 99] {
            let bench = Bench::new(100).await;
            let habits = Habits {
                dies_after: Some(dies_after),
                dies_silently,
                ..Habits::default()
            };
            let mut assignment = bench.cut_off(habits).await;
            assignment.record = bench.ledger.job(assignment.record.id).await.unwrap();
            let broker = bench.broker().await;
            let (_pace, pace) = watch::channel(Pace::Go);
            let tools = bench.tools(&broker, pace, &assignment.record);
            let mut reports = bench.reports(&broker).await;
            let record = tokio::select! {
                ended = timeout(DEADLINE, resume(assignment, tools, &mut *reports)) => ended.expect("the job hangs").unwrap(),
                () = bench.pretend(&broker, Habits::default()) => panic!("the worker died"),
            };
            assert_eq!(
                (record.state, record.datums),
                (JobState::Success, counts(100, 100, 0, 0)),
                "{dies_after}"
            );
            assert_eq!(bench.verdicts(record.id).await.len(), 100);
        }
    }
}

#[tokio::test]
async fn a_job_that_was_cut_off_is_closed_by_the_next_which_skips_what_was_committed() {
    let bench = Bench::new(100).await;
    let habits = Habits {
        dies_after: Some(30),
        dies_silently: true,
        ..Habits::default()
    };
    let dead = bench.cut_off(habits).await.record.id;
    let next = bench.run(Habits::default()).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(100, 70, 30, 0))
    );
    let dead = bench.ledger.job(dead).await.unwrap();
    assert_eq!(
        (dead.state, dead.reason.as_deref()),
        (JobState::Killed, Some("interrupted"))
    );
    assert_eq!(dead.datums.processed, 30);
}

#[tokio::test]
async fn a_retry_runs_what_failed_and_takes_the_rest_over() {
    let bench = Bench::new(20).await;
    let failed = bench
        .run(Habits {
            fails: Some("7"),
            ..Habits::default()
        })
        .await;
    let retried = bench
        .run_scope(Scope::FailedOf(failed.id), Habits::default())
        .await
        .unwrap();
    assert_eq!(
        (retried.state, retried.datums),
        (JobState::Success, counts(20, 2, 18, 0))
    );
}

#[tokio::test]
async fn a_retry_of_inputs_that_changed_is_refused_with_the_way_out() {
    let bench = Bench::new(20).await;
    let failed = bench
        .run(Habits {
            fails: Some("7"),
            ..Habits::default()
        })
        .await;
    std::fs::write(bench.folder.path().join("in/0017"), "something else").unwrap();
    let refused = bench
        .run_scope(Scope::FailedOf(failed.id), Habits::default())
        .await
        .unwrap_err();
    let text = refused.to_string().replace(&failed.id.to_string(), "JOB");
    insta::assert_snapshot!(text, @"the inputs of 1 datums of job JOB have changed since, first in:/0017; use `drover run` to take what is there now");
}

#[tokio::test]
async fn a_retry_of_a_job_whose_datums_are_not_all_known_is_refused() {
    let bench = Bench::new(3).await;
    let assignment = bench.assignment(Scope::Everything);
    bench
        .ledger
        .open_job(&assignment.record, &bench.spec)
        .await
        .unwrap();
    let refused = bench
        .run_scope(Scope::FailedOf(assignment.record.id), Habits::default())
        .await;
    assert!(
        matches!(refused, Err(CoordinateError::Incomplete { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_stopped_job_is_killed_with_its_reason_and_what_it_did_counts() {
    let bench = Bench::new(100).await;
    let assignment = bench.assignment(Scope::Everything);
    let job = assignment.record.id;
    let broker = bench.broker().await;
    let (pace_sender, pace) = watch::channel(Pace::Go);
    let tools = bench.tools(&broker, pace, &assignment.record);
    let mut reports = bench.reports(&broker).await;
    let stopping = async {
        let habits = Habits {
            dies_after: Some(10),
            ..Habits::default()
        };
        bench.pretend(&broker, habits).await;
        pace_sender.send_replace(Pace::Stop {
            reason: "enough".to_owned(),
        });
        std::future::pending::<()>().await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, coordinate(assignment, tools, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = stopping => panic!("the worker died"),
    };
    assert_eq!(
        (record.state, record.reason.as_deref()),
        (JobState::Killed, Some("enough"))
    );
    assert_eq!(record.datums.processed, 10);
    assert_eq!(bench.ledger.job(job).await.unwrap().state, JobState::Killed);
    let next = bench.run(Habits::default()).await;
    assert_eq!(next.datums, counts(100, 90, 10, 0));
}
