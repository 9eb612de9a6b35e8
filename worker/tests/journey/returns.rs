//! Messages that come again, go back, or are answered without being done.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use drover_shared::datum::{Cause, VerdictState};
use drover_shared::id::JobId;
use drover_shared::ledger::{Commit, ManifestEntry};
use drover_shared::queue::Queue;
use drover_shared::wire::{ManifestRange, TaskDatums};
use serde_json::json;
use tokio::time::timeout;

use crate::farm::{Farm, SOON, WAIT_FOR_GO, eventually, exists, open};

/// Takes the next message and dies with it.
async fn die_with_the_next(farm: &Farm) {
    let mut consumer = farm.broker.consume(&farm.datums(), 1).await.unwrap();
    timeout(SOON, consumer.next()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivered_datum_commits_once() {
    let mut farm = Farm::new("echo run >> $FARM/runs; echo x > /pfs/out/x").await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    die_with_the_next(&farm).await;
    let _worker = farm.work(farm.settings());
    let mut ended = [farm.ended().await, farm.ended().await];
    ended.sort_by_key(|(_, first)| !first);
    let [(verdict, true), (again, false)] = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(again, verdict);
    assert_eq!(farm.output(&verdict, "/x"), "x\n");
    eventually("the loser's files are swept", || {
        farm.staged_files().len() == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivered_datum_that_has_ended_is_not_run_again() {
    let mut farm = Farm::new("echo run >> $FARM/runs").await;
    farm.write("a", "A\n");
    let winner = farm.verdict_of_another(0);
    assert_eq!(
        farm.ledger.commit(farm.job, &winner).await.unwrap(),
        Commit::Won
    );
    farm.publish(vec![farm.datum(0, "a")]).await;
    die_with_the_next(&farm).await;
    let _worker = farm.work(farm.settings());
    let (verdict, first) = farm.ended().await;
    assert_eq!((verdict.worker, first), (winner.worker, false));
    assert!(!farm.path("runs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_late_removes_what_it_staged_and_reports_the_winner() {
    let mut farm = Farm::new(WAIT_FOR_GO).await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    let _worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    let winner = farm.verdict_of_another(0);
    assert_eq!(
        farm.ledger.commit(farm.job, &winner).await.unwrap(),
        Commit::Won
    );
    open(&farm.path("go"));
    let (verdict, first) = farm.ended().await;
    assert_eq!((verdict.worker, first), (winner.worker, false));
    assert!(farm.staged_files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_what_runs_and_hands_back_the_rest() {
    let mut farm = Farm::new(WAIT_FOR_GO).await;
    for n in 0..3 {
        farm.write(&n.to_string(), "A\n");
        farm.publish(vec![farm.datum(n, &n.to_string())]).await;
    }
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    farm.tokens.soft.cancel();
    open(&farm.path("go"));
    let (verdict, _) = farm.ended().await;
    assert_eq!(verdict.state, VerdictState::Success);
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.left().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datum_handed_back_between_attempts_is_not_charged() {
    let spec = json!({"transform": {"cmd": ["sh", "-c", "exit 1"]}, "datum_tries": 1000});
    let farm = Farm::with(spec).await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    die_with_the_next(&farm).await;
    let worker = farm.work(farm.settings());
    let marked = || {
        farm.path(".drover/jobs")
            .join(farm.job.to_string())
            .join("marks")
    };
    eventually("it is marked", || {
        std::fs::read_dir(marked()).is_ok_and(|mut entries| entries.next().is_some())
    })
    .await;
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.ledger.attempt_marks(farm.job, 0).await.unwrap(), 0);
    assert_eq!(farm.left().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_stop_kills_what_runs_and_the_message_comes_again() {
    let farm =
        Farm::new("trap '' TERM; touch $FARM/running; echo $$ > $FARM/pid; sleep 1000").await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    farm.tokens.hard.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.left().await, 1);
    assert_eq!(farm.ledger.committed(farm.job, 0).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_job_is_dropped_and_the_worker_goes_on() {
    let mut farm = Farm::new("touch $FARM/running; sleep 1000").await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    farm.publish(vec![farm.datum(1, "a")]).await;
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    farm.stops.stop(farm.job);
    let stopped = farm.job;
    farm.open_job(json!({"transform": {"cmd": ["true"]}})).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    assert_eq!(farm.ended().await.0.state, VerdictState::Success);
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.left().await, 0);
    for index in 0..2 {
        assert_eq!(farm.ledger.committed(stopped, index).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datum_that_takes_its_workers_down_is_failed_in_the_end() {
    let spec =
        json!({"transform": {"cmd": ["sh", "-c", "echo run >> $FARM/runs"]}, "datum_tries": 2});
    let mut farm = Farm::with(spec).await;
    farm.write("a", "A\n");
    for _ in 0..2 {
        farm.mark_death(0).await;
    }
    farm.publish(vec![farm.datum(0, "a")]).await;
    die_with_the_next(&farm).await;
    let _worker = farm.work(farm.settings());
    let (verdict, first) = farm.ended().await;
    assert!(first);
    assert_eq!(verdict.cause, Some(Cause::WorkerDied { times: 2 }));
    assert_eq!((verdict.state, verdict.attempts), (VerdictState::Failed, 2));
    assert!(!farm.path("runs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_killed_costs_an_attempt_and_no_more() {
    let script =
        "test $DROVER_ATTEMPT = 2 || { touch $FARM/running; sleep 1000; }; cat $in > /pfs/out/x";
    let mut farm = Farm::new(script).await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    let _worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    kill_runner_of(&running_in(farm.dir.path()));
    let (verdict, _) = farm.ended().await;
    assert_eq!(
        (verdict.state, verdict.attempts),
        (VerdictState::Success, 2),
        "{:?}",
        verdict.cause
    );
    assert_eq!(farm.output(&verdict, "/x"), "A\n");
}

/// A process that the worker of the test has started, found by its environment.
fn running_in(farm: &Path) -> PathBuf {
    let mark = format!("FARM={}\0", farm.display());
    let mut processes = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let found = processes.find(|process| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&mark)
    });
    found.expect("a command of this farm runs")
}

/// Kills the server of the runner that started `process`: the grandchild of this very process among its ancestors.
fn kill_runner_of(process: &Path) {
    let supervisor = parent(process);
    if parent(&supervisor) != Path::new("/proc").join(std::process::id().to_string()) {
        return kill_runner_of(&supervisor);
    }
    let pid = process
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn parent(process: &Path) -> PathBuf {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap();
    let parent = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap();
    Path::new("/proc").join(parent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_done_datum_by_datum_and_acked_once() {
    let mut farm = Farm::new("cp $in /pfs/out/x").await;
    let datums: Vec<_> = (0..5)
        .map(|n| {
            farm.write(&n.to_string(), &n.to_string());
            farm.datum(n, &n.to_string())
        })
        .collect();
    farm.publish(datums).await;
    let worker = farm.work(farm.settings());
    let mut ended = Vec::new();
    for _ in 0..5 {
        ended.push(farm.ended().await.0.index);
    }
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 2, 3, 4]);
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn datums_by_reference_are_read_from_the_manifest() {
    let mut farm = Farm::new("cp $in /pfs/out/x").await;
    farm.write("a", "A\n");
    let done = Some(drover_shared::ledger::DoneRef {
        job: farm.job,
        index: 0,
    });
    let entries: Vec<_> = (10..15)
        .map(|index| ManifestEntry {
            datum: farm.datum(index, "a"),
            done: if index == 12 { done } else { None },
            redo: None,
        })
        .collect();
    farm.ledger
        .write_manifest(farm.job, &entries)
        .await
        .unwrap();
    farm.publish_task(TaskDatums::Manifest(ManifestRange {
        segment: 10,
        first: 11,
        count: 3,
    }))
    .await;
    let _worker = farm.work(farm.settings());
    let mut ended = [farm.ended().await.0.index, farm.ended().await.0.index];
    ended.sort_unstable();
    assert_eq!(ended, [11, 13]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_parked_and_the_queue_flows_on() {
    let mut farm = Farm::new("true").await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(1, "a")]).await;
    farm.publish_body(Bytes::from_static(b"garbage")).await;
    farm.publish_body(Bytes::from_static(br#"{"kind":"task","version":9}"#))
        .await;
    farm.publish_task(TaskDatums::Manifest(ManifestRange {
        segment: 99,
        first: 99,
        count: 1,
    }))
    .await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    let mut settings = farm.settings();
    settings.look_ahead = 0;
    let _worker = farm.work(settings);
    for _ in 0..2 {
        assert_eq!(farm.ended().await.0.state, VerdictState::Success);
    }
    let dead = Queue::Dead(farm.pipeline.clone());
    let mut dead = farm.broker.consume(&dead, 10).await.unwrap();
    for reason in ["decoded", "version 9", "no segment 99"] {
        let parked = timeout(SOON, dead.next()).await.unwrap().unwrap();
        let why = parked.dead_letter_reason.clone().unwrap_or_default();
        assert!(why.contains(reason), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_another_store_hands_datums_back_and_says_why() {
    let mut farm = Farm::new("true").await;
    farm.write("a", "A\n");
    let known = farm.job;
    farm.job = JobId::generate();
    farm.publish(vec![farm.datum(0, "a")]).await;
    farm.job = known;
    let settings = farm.settings();
    let phase = settings.phase.clone();
    let _worker = farm.work(settings);
    eventually("the worker is not ready", || phase.problem().is_some()).await;
    let problem = phase.problem().unwrap();
    assert!(
        problem.contains("is not in the store") && problem.contains("--store"),
        "{problem}"
    );
    farm.publish(vec![farm.datum(1, "a")]).await;
    assert_eq!(farm.ended().await.0.index, 1);
    assert_eq!(farm.dead().await, 0);
    farm.tokens.soft.cancel();
    farm.tokens.tracker.close();
    farm.tokens.tracker.wait().await;
    assert_eq!(farm.left().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_about_another_store_is_handed_back_and_the_worker_is_not_ready() {
    let mut farm = Farm::new("true").await;
    farm.write("a", "A\n");
    farm.ledger.ensure_identity().await.unwrap();
    let record = farm.path(".drover/store.json");
    let of_the_leader = std::fs::read(&record).unwrap();
    farm.publish(vec![farm.datum(0, "a")]).await;
    std::fs::remove_file(&record).unwrap();
    let settings = farm.settings();
    let phase = settings.phase.clone();
    let _worker = farm.work(settings);
    eventually("the worker is not ready", || phase.problem().is_some()).await;
    let problem = phase.problem().unwrap();
    assert!(problem.contains("not the store") && problem.contains("mount"));
    std::fs::write(&record, of_the_leader).unwrap();
    let (verdict, _) = farm.ended().await;
    assert_eq!(verdict.state, VerdictState::Success);
    eventually("the worker is ready", || phase.problem().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_whose_directories_are_gone_is_made_anew_and_no_datum_pays() {
    let script =
        "echo x > /pfs/out/x; touch $FARM/running; until test -e $FARM/go; do sleep 0.01; done";
    let mut farm = Farm::new(script).await;
    let settings = farm.settings();
    let slot = settings
        .scratch
        .join(settings.worker.as_str())
        .join("slots/0");
    for n in 0..4 {
        farm.write(&n.to_string(), "A\n");
        farm.publish(vec![farm.datum(n, &n.to_string())]).await;
    }
    let _worker = farm.work(settings);
    exists(&farm.path("running")).await;
    std::fs::remove_dir_all(slot.join("out")).unwrap();
    open(&farm.path("go"));
    for _ in 0..4 {
        let (verdict, _) = farm.ended().await;
        assert_eq!(verdict.state, VerdictState::Success, "{verdict:?}");
        assert_eq!((verdict.attempts, verdict.outputs.len()), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_for_long_ends_the_worker_and_nothing_is_lost() {
    let farm = Farm::new(WAIT_FOR_GO).await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    let mut settings = farm.settings();
    settings.retry_budget = std::time::Duration::ZERO;
    let worker = farm.work(settings);
    exists(&farm.path("running")).await;
    let jobs = farm.path(".drover/jobs");
    std::fs::remove_dir_all(&jobs).unwrap();
    std::fs::write(jobs, "").unwrap();
    open(&farm.path("go"));
    let error = timeout(SOON, worker).await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(error, drover_worker::WorkError::Store { .. }),
        "{error:?}"
    );
    assert_eq!(farm.left().await, 1);
}
