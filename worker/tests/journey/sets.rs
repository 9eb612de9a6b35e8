//! A set is one unit: one commit for all its datums, whole or in parts, and passed on if its datums are long.

use std::time::Duration;

use drover_shared::datum::{CommitUnit, VerdictState};
use drover_shared::ledger::Segment;
use drover_shared::process::Tokens;
use drover_shared::queue::Queue;
use drover_shared::store::layout;
use drover_shared::wire::{Message, TaskDatums, decode};
use serde_json::json;
use tokio::time::timeout;

use crate::farm::{Farm, SOON, WAIT_FOR_GO, exists, open};

/// A set of datums over files with their numbers.
async fn publish(farm: &Farm, count: u64) {
    let datums = (0..count).map(|n| {
        farm.write(&n.to_string(), &n.to_string());
        farm.datum(n, &n.to_string())
    });
    let datums = TaskDatums::Inline(datums.collect());
    farm.publish_unit(datums, CommitUnit::Set(0)).await;
}

async fn commits(farm: &Farm) -> Vec<String> {
    let shard = layout::commit_shard(farm.job, 0);
    farm.ledger.store().names(&shard).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_one_commit_and_each_datum_has_its_own_verdict() {
    let mut farm = Farm::new("cp $in /pfs/out/").await;
    publish(&farm, 20).await;
    let worker = farm.work(farm.settings());
    for _ in 0..20 {
        let (verdict, first) = farm.ended().await;
        assert!(first);
        let n = verdict.index.to_string();
        assert_eq!(farm.output(&verdict, &format!("/{n}")), n);
    }
    farm.tokens.soft.cancel();
    worker.await.unwrap().unwrap();
    let commits = commits(&farm).await;
    assert!(commits.len() <= 5, "{commits:?}");
    let segment = Segment {
        first: 0,
        count: 20,
    };
    let verdicts = farm.ledger.verdicts(farm.job, segment).await.unwrap();
    assert_eq!(verdicts.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_a_set_fails_its_datum_alone_and_is_seen_at_once() {
    let mut farm = Farm::with(json!({
        "transform": {"cmd": ["sh", "-c", "test $(cat $in) != 1 || exit 3"]},
        "datum_tries": 1,
    }))
    .await;
    publish(&farm, 4).await;
    let _worker = farm.work(farm.settings());
    let mut ended = Vec::new();
    for _ in 0..4 {
        let (verdict, _) = farm.ended().await;
        ended.push((verdict.index, verdict.state));
    }
    ended.sort_unstable_by_key(|(index, _)| *index);
    let success = VerdictState::Success;
    let expected = [
        (0, success),
        (1, VerdictState::Failed),
        (2, success),
        (3, success),
    ];
    assert_eq!(ended, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_was_cut_off_is_finished_by_the_next_worker_without_repetition() {
    let script = "echo x >> $FARM/runs.$(cat $in); test $(cat $in) != 2 || until test -e $FARM/go; do touch $FARM/running; sleep 0.01; done";
    let mut farm = Farm::with(json!({
        "transform": {"cmd": ["sh", "-c", script]},
        "datum_set_spec": {"number": 9},
    }))
    .await;
    publish(&farm, 5).await;
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    farm.tokens.soft.cancel();
    open(&farm.path("go"));
    worker.await.unwrap().unwrap();
    assert_eq!(
        farm.broker.depth(&farm.datums()).await.unwrap().ready,
        1,
        "the rest is in the queue"
    );
    farm.tokens = Tokens::new();
    let _worker = farm.work(farm.settings());
    for _ in 0..5 {
        farm.ended().await;
    }
    let segment = Segment { first: 0, count: 5 };
    let verdicts = farm.ledger.verdicts(farm.job, segment).await.unwrap();
    assert_eq!(verdicts.len(), 5);
    for n in 0..5 {
        let runs = std::fs::read_to_string(farm.path(&format!("runs.{n}"))).unwrap();
        assert_eq!(runs, "x\n", "datum {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_came_twice_is_passed_on_once() {
    let mut farm = Farm::new(WAIT_FOR_GO).await;
    publish(&farm, 10).await;
    publish(&farm, 10).await;
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    while farm.left().await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let tasks = Queue::Datums(farm.pipeline.clone());
    let mut idle = farm.broker.consume(&tasks, 99).await.unwrap();
    let first = timeout(SOON, idle.next()).await;
    let mut deliveries = vec![first.expect("the rest in time").unwrap()];
    open(&farm.path("go"));
    for _ in 0..2 {
        farm.ended().await;
    }
    farm.tokens.soft.cancel();
    worker.await.unwrap().unwrap();
    // All that the worker has passed on is in the queue now.
    while let Ok(Ok(next)) = timeout(Duration::from_millis(300), idle.next()).await {
        deliveries.push(next);
    }
    let mut passed_on = Vec::new();
    for delivery in &deliveries {
        let Ok(Message::Task(task)) = decode(&delivery.body) else {
            panic!("a task");
        };
        passed_on.extend(task.datums.indexes().ranges().flatten());
    }
    let count = passed_on.len();
    passed_on.sort_unstable();
    passed_on.dedup();
    assert_eq!(count, passed_on.len(), "{passed_on:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_set_with_a_long_datum_passes_on_what_has_not_begun() {
    let mut farm = Farm::new(WAIT_FOR_GO).await;
    publish(&farm, 40).await;
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    let tasks = Queue::Datums(farm.pipeline.clone());
    // The consumer of an idle worker.
    let mut idle = farm.broker.consume(&tasks, 99).await.unwrap();
    let mut passed_on = Vec::new();
    // The worker may hold one message for its slot.
    while passed_on.len() < 30 {
        let next = timeout(SOON, idle.next()).await;
        let delivery = next.expect("the rest in time").unwrap();
        let Ok(Message::Task(task)) = decode(&delivery.body) else {
            panic!("a task");
        };
        assert_eq!(task.unit, Some(CommitUnit::Set(0)), "they stay in the set");
        passed_on.extend(task.datums.indexes().ranges().flatten());
        delivery.ack().await.unwrap();
    }
    drop(idle);
    open(&farm.path("go"));
    while passed_on.len() < 40 {
        passed_on.push(farm.ended().await.0.index);
    }
    passed_on.sort_unstable();
    assert_eq!(passed_on, (0..40).collect::<Vec<_>>());
    farm.tokens.soft.cancel();
    worker.await.unwrap().unwrap();
}
