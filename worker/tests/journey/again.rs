//! Redelivered datums that are in flight, and datums that killed workers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use drover_shared::datum::{Cause, VerdictState};
use drover_shared::id::WorkerId;
use drover_shared::ledger::Commit;
use drover_shared::wire::TaskDatums;
use serde_json::json;
use tokio::time::timeout;

use crate::breaking::Breaking;
use crate::farm::{Farm, SOON, WAIT_FOR_GO, eventually, exists, open};

/// How often a farm's command was started, if it says so in `runs`.
fn runs(farm: &Farm) -> usize {
    let runs = std::fs::read_to_string(farm.path("runs")).unwrap_or_default();
    runs.lines().count()
}

fn counted(script: &str) -> String {
    format!("echo run >> $FARM/runs; {script}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_channel_kills_nothing_and_what_runs_is_not_run_beside_itself() {
    let mut farm = Farm::new(&counted(WAIT_FOR_GO)).await;
    farm.write("a", "A\n");
    let breaking = Breaking::around(&farm.broker);
    farm.broker = Arc::new(breaking.clone());
    farm.publish(vec![farm.datum(0, "a")]).await;
    let mut settings = farm.settings();
    settings.slots = 2.try_into().unwrap();
    let worker = farm.work(settings);
    exists(&farm.path("running")).await;
    breaking.breaks.notify_one();
    eventually("the channel is another", || {
        breaking.broken.load(Ordering::Relaxed)
    })
    .await;
    // Everything of the second datum happens after the message of the first one has come again.
    farm.write("b", "B\n");
    farm.publish(vec![farm.datum(1, "b")]).await;
    eventually("the second datum runs", || runs(&farm) == 2).await;
    open(&farm.path("go"));
    let mut ended = Vec::new();
    for _ in 0..3 {
        let (verdict, first) = farm.ended().await;
        ended.push((verdict.index, first));
    }
    ended.sort_unstable();
    assert_eq!(ended, [(0, false), (0, true), (1, true)]);
    assert_eq!(runs(&farm), 2, "the first datum was run again");
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_worker_that_loses_its_claim_takes_its_mark_back_and_goes_on() {
    let mut farm = Farm::new(&counted(WAIT_FOR_GO)).await;
    farm.write("a", "A\n");
    let breaking = Breaking::around(&farm.broker);
    farm.broker = Arc::new(breaking.clone());
    farm.publish_again(TaskDatums::Inline(vec![farm.datum(0, "a")]))
        .await;
    let _worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    let marks = async || farm.ledger.attempt_marks(farm.job, 0).await.unwrap();
    assert_eq!(marks().await, 1);
    breaking.breaks.notify_one();
    let taken_back = async {
        while marks().await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, taken_back).await.expect("the mark stays");
    open(&farm.path("go"));
    let (verdict, first) = farm.ended().await;
    assert_eq!((verdict.state, first), (VerdictState::Success, true));
    assert_eq!(runs(&farm), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_waits_for_the_first_and_is_looked_up() {
    let mut farm = Farm::new(&counted("sleep 0.3; echo x > /pfs/out/x")).await;
    farm.write("a", "A\n");
    for _ in 0..2 {
        farm.publish(vec![farm.datum(0, "a")]).await;
    }
    let mut settings = farm.settings();
    settings.slots = 2.try_into().unwrap();
    let _worker = farm.work(settings);
    let (verdict, first) = farm.ended().await;
    let (again, second) = farm.ended().await;
    assert_eq!((first, second), (true, false));
    assert_eq!(verdict, again);
    assert_eq!((runs(&farm), farm.staged_files().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datum_that_may_have_come_before_is_looked_up_first() {
    let mut farm = Farm::new(&counted("true")).await;
    farm.write("a", "A\n");
    let winner = farm.verdict_of_another(0);
    let won = farm.ledger.commit(farm.job, &winner).await.unwrap();
    assert_eq!(won, Commit::Won);
    farm.publish_again(TaskDatums::Inline(vec![
        farm.datum(0, "a"),
        farm.datum(1, "a"),
    ]))
    .await;
    let _worker = farm.work(farm.settings());
    let mut ended = [farm.ended().await, farm.ended().await];
    ended.sort_by_key(|(verdict, _)| verdict.index);
    let told = ended.map(|(verdict, first)| (verdict.worker == winner.worker, first));
    assert_eq!(told, [(true, false), (false, true)]);
    assert_eq!(runs(&farm), 1);
    assert_eq!(farm.ledger.attempt_marks(farm.job, 1).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datum_is_charged_with_two_deaths_at_the_least() {
    let spec = json!({"transform": {"cmd": ["sh", "-c", counted("true")]}, "datum_tries": 1});
    let mut farm = Farm::with(spec).await;
    farm.write("a", "A\n");
    for (index, deaths) in [(0, 1), (1, 2)] {
        for _ in 0..deaths {
            farm.mark_death(index).await;
        }
    }
    farm.publish_again(TaskDatums::Inline(vec![
        farm.datum(0, "a"),
        farm.datum(1, "a"),
    ]))
    .await;
    let _worker = farm.work(farm.settings());
    let mut ended = [farm.ended().await.0, farm.ended().await.0];
    ended.sort_by_key(|verdict| verdict.index);
    let [innocent, poison] = ended;
    assert_eq!(
        innocent.state,
        VerdictState::Success,
        "one death may be a neighbour's fault"
    );
    assert_eq!(poison.cause, Some(Cause::WorkerDied { times: 2 }));
    assert_eq!(runs(&farm), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_of_workers_that_live_are_no_deaths() {
    let mut farm = Farm::new(&counted("true")).await;
    farm.write("a", "A\n");
    let mut listeners = Vec::new();
    for name in ["one", "two", "three"] {
        let worker = WorkerId::generate(name);
        let marked = farm
            .ledger
            .mark_attempt(farm.job, 0, &format!("{worker}.0"), &worker)
            .await;
        marked.unwrap();
        listeners.push(farm.broker.listen(worker.as_str()).await.unwrap());
    }
    farm.publish_again(TaskDatums::Inline(vec![farm.datum(0, "a")]))
        .await;
    let _worker = farm.work(farm.settings());
    let (verdict, _) = farm.ended().await;
    assert_eq!(
        (verdict.state, verdict.attempts),
        (VerdictState::Success, 1)
    );
    drop(listeners);
    farm.publish_again(TaskDatums::Inline(vec![farm.datum(0, "a")]))
        .await;
    assert_eq!(farm.ended().await.0.attempts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_datum_is_blamed_before_the_grace_for_reconnecting_workers_is_over() {
    let mut farm = Farm::new(&counted("true")).await;
    farm.write("a", "A\n");
    let workers = ["one", "two", "three"].map(WorkerId::generate);
    for worker in &workers {
        let marked = farm
            .ledger
            .mark_attempt(farm.job, 0, &format!("{worker}.0"), worker)
            .await;
        marked.unwrap();
    }
    farm.publish_again(TaskDatums::Inline(vec![farm.datum(0, "a")]))
        .await;
    let mut settings = farm.settings();
    settings.death_grace = SOON;
    let broker = Breaking::around(&farm.broker);
    farm.broker = Arc::new(broker.clone());
    let _worker = farm.work(settings);
    // The worker has looked for all three, in vain.
    eventually("the deaths are counted", || broker.sought() >= 3).await;
    assert!(!farm.path("runs").exists());
    farm.tokens.soft.cancel();
    farm.tokens.tracker.close();
    farm.tokens.tracker.wait().await;
    assert_eq!(farm.left().await, 1, "the datum is not failed meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_runs_alone() {
    let script = "echo in >> $FARM/log; sleep 0.2; echo out >> $FARM/log";
    let mut farm = Farm::new(script).await;
    farm.write("a", "A\n");
    farm.mark_death(0).await;
    farm.publish_again(TaskDatums::Inline(vec![farm.datum(0, "a")]))
        .await;
    farm.publish(vec![farm.datum(1, "a")]).await;
    let mut settings = farm.settings();
    settings.slots = 2.try_into().unwrap();
    let _worker = farm.work(settings);
    for _ in 0..2 {
        farm.ended().await;
    }
    let log = std::fs::read_to_string(farm.path("log")).unwrap();
    assert_eq!(log, "in\nout\nin\nout\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hard_stop_kills_is_not_charged() {
    let farm = Farm::new(WAIT_FOR_GO).await;
    farm.write("a", "A\n");
    farm.publish_again(TaskDatums::Inline(vec![farm.datum(0, "a")]))
        .await;
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    assert_eq!(farm.ledger.attempt_marks(farm.job, 0).await.unwrap(), 1);
    farm.tokens.hard.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.ledger.attempt_marks(farm.job, 0).await.unwrap(), 0);
    assert_eq!(farm.left().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_draining_worker_had_made_ready_is_not_charged() {
    let mut farm = Farm::new(WAIT_FOR_GO).await;
    farm.write("a", "A\n");
    for index in 0..3 {
        farm.publish_again(TaskDatums::Inline(vec![farm.datum(index, "a")]))
            .await;
    }
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    farm.tokens.soft.cancel();
    open(&farm.path("go"));
    let (verdict, _) = farm.ended().await;
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    for index in (0..3).filter(|index| *index != verdict.index) {
        assert_eq!(farm.ledger.attempt_marks(farm.job, index).await.unwrap(), 0);
    }
    assert_eq!(farm.left().await, 2);
}
