//! Tasks of whoever reaches the broker and does not have the key of the job.

use drover_shared::datum::{Datum, VerdictState};
use drover_shared::job::JobKey;
use drover_shared::ledger::ManifestEntry;
use drover_shared::queue::Queue;
use drover_shared::wire::{ManifestRange, Message, Task, TaskDatums, encode_for};
use tokio::time::timeout;

use crate::farm::{Farm, SOON};

/// A task that promises more than a worker may believe.
fn task(farm: &Farm, datums: TaskDatums) -> Message {
    Message::Task(Task {
        job: farm.job,
        datums,
        unit: None,
        total: Some(u64::MAX),
        again: false,
        store: None,
        term: Some(u64::MAX),
        trace: None,
    })
}

async fn write_manifest(farm: &Farm, datums: Vec<Datum>) {
    let entries = datums.into_iter().map(|datum| ManifestEntry {
        datum,
        done: None,
        redo: None,
    });
    let entries: Vec<_> = entries.collect();
    let written = farm.ledger.write_manifest(farm.job, &entries).await;
    written.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_without_the_key_brings_what_the_manifest_says_and_no_verdict_a_second_time() {
    let mut farm = Farm::new("echo run >> $FARM/runs; cat $in > /pfs/out/x").await;
    farm.write("a", "A\n");
    farm.write("secret", "SECRET\n");
    write_manifest(&farm, vec![farm.datum(0, "a"), farm.datum(1, "a")]).await;
    let whole = TaskDatums::Manifest(ManifestRange {
        segment: 0,
        first: 0,
        count: u64::MAX,
    });
    let inline = TaskDatums::Inline(vec![farm.datum(0, "secret")]);
    for datums in [inline, whole] {
        let message = encode_for(&task(&farm, datums), None).unwrap();
        farm.publish_body(message).await;
    }
    let _worker = farm.work(farm.settings());
    for _ in 0..3 {
        let (verdict, _) = farm.ended().await;
        assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
        assert_eq!(farm.output(&verdict, "/x"), "A\n");
        assert_eq!(verdict.datum, farm.datum(verdict.index, "a").id);
    }
    let runs = std::fs::read_to_string(farm.path("runs")).unwrap();
    assert_eq!(
        runs.lines().count(),
        2,
        "the second message ran nothing again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_with_a_wrong_code_is_refused_and_what_comes_behind_it_is_done() {
    let mut farm = Farm::new("cat $in > /pfs/out/x").await;
    farm.write("a", "A\n");
    write_manifest(&farm, vec![farm.datum(0, "a")]).await;
    let other = JobKey::generate().unwrap();
    let forged = task(&farm, TaskDatums::Inline(vec![farm.datum(0, "a")]));
    let forged = encode_for(&forged, Some(&other)).unwrap();
    farm.publish_body(forged).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    let _worker = farm.work(farm.settings());
    assert_eq!(farm.ended().await.0.state, VerdictState::Success);
    let dead = Queue::Dead(farm.pipeline.clone());
    let mut dead = farm.broker.consume(&dead, 10).await.unwrap();
    let parked = timeout(SOON, dead.next()).await.unwrap().unwrap();
    let why = parked.dead_letter_reason.clone().unwrap_or_default();
    assert!(why.contains("authentication code"), "{why}");
}
