//! Datums of which several copies run.

use std::time::Instant;

use drover_shared::datum::VerdictState;
use drover_shared::wire::{Control, Message, TaskDatums, encode_for};
use drover_worker::Settings;
use serde_json::json;
use tokio::time::timeout;

use crate::farm::{Farm, SOON, eventually, exists, open};

/// A command that never ends on the worker whose environment says so.
const HANGS_ON_ONE: &str = "echo run >> $FARM/runs
    if test $WHO = slow; then touch $FARM/running; sleep 600; fi
    until test -e $FARM/go; do sleep 0.01; done
    echo $WHO > /pfs/out/who";

async fn farm() -> Farm {
    let command = json!({"cmd": ["sh", "-c", HANGS_ON_ONE]});
    let farm = Farm::with(json!({"transform": command, "stragglers": "copy"})).await;
    farm.write("a", "A");
    farm
}

fn settings(farm: &Farm, who: &str) -> Settings {
    let mut settings = farm.settings();
    settings.environment.insert("WHO".into(), who.into());
    settings
}

fn runs(farm: &Farm) -> usize {
    let runs = std::fs::read_to_string(farm.path("runs")).unwrap_or_default();
    runs.lines().count()
}

/// Tells the workers of a verdict, as the leader does.
async fn tell_of_a_verdict(farm: &Farm) {
    let message = Message::Control(Control::Committed {
        job: farm.job,
        datums: [0].into_iter().collect(),
    });
    let key = farm.ledger.job_key(farm.job).await.unwrap();
    let message = encode_for(&message, key.as_ref()).unwrap();
    farm.broker.broadcast(message).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_copy_to_commit_counts_and_the_other_ends_uncharged() {
    let mut farm = farm().await;
    let datum = vec![farm.datum(0, "a")];
    farm.publish(datum.clone()).await;
    let slow = farm.work(settings(&farm, "slow"));
    exists(&farm.path("running")).await;
    farm.publish_copy(TaskDatums::Inline(datum)).await;
    // The copy goes to and fro until another worker takes it.
    let fast = farm.work(settings(&farm, "fast"));
    eventually("the copy runs", || runs(&farm) == 2).await;
    tell_of_a_verdict(&farm).await; // there is none yet
    open(&farm.path("go"));
    let (verdict, first) = farm.ended().await;
    assert!(first && verdict.state == VerdictState::Success);
    assert_eq!(farm.output(&verdict, "/who"), "fast\n");
    assert_eq!(verdict.attempts, 1);
    let told = Instant::now();
    tell_of_a_verdict(&farm).await;
    let (same, first) = farm.ended().await;
    assert!(!first && same.staged == verdict.staged);
    let took = told.elapsed();
    assert!(took < SOON / 3, "the other copy was ended after {took:?}");
    farm.tokens.soft.cancel();
    for worker in [slow, fast] {
        timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(runs(&farm), 2);
    let past = farm.ledger.past_runs(farm.job, 0).await.unwrap();
    assert_eq!(past.marked_by, [Some(verdict.worker)], "of the winner");
    assert_eq!((farm.left().await, farm.dead().await), (0, 0));
    assert_eq!(farm.staged_files().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_ends_by_the_verdict_in_the_store_if_nobody_tells_of_it() {
    let mut farm = farm().await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    let slow = farm.work(settings(&farm, "slow"));
    exists(&farm.path("running")).await;
    let elsewhere = farm.verdict_of_another(0);
    farm.ledger.commit(farm.job, &elsewhere).await.unwrap();
    let (verdict, first) = farm.ended().await;
    assert!(!first && verdict.worker == elsewhere.worker);
    farm.tokens.soft.cancel();
    timeout(SOON, slow).await.unwrap().unwrap().unwrap();
    assert!(farm.staged_files().is_empty());
}
