//! Tasks of whoever reaches the broker and does not have the key of the job.

use drover_shared::datum::{CommitUnit, Datum, VerdictState};
use drover_shared::job::JobKey;
use drover_shared::ledger::{ManifestEntry, Segment, SegmentSets};
use drover_shared::queue::Queue;
use drover_shared::wire::{
    Authenticity, ManifestRange, Message, Task, TaskDatums, authenticity, encode_for,
};
use serde_json::json;
use tokio::time::timeout;

use crate::farm::{Farm, SOON, exists, open};

/// A task that promises more than a worker may believe.
fn task(farm: &Farm, datums: TaskDatums) -> Message {
    Message::Task(Task {
        job: farm.job,
        datums,
        unit: None,
        total: Some(u64::MAX),
        again: false,
        copy: false,
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

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_set_that_no_leader_signed_goes_back_as_it_came() {
    let script = "until test -e $FARM/go; do touch $FARM/running; sleep 0.01; done";
    let farm = Farm::with(json!({
        "transform": {"cmd": ["sh", "-c", script]},
        "datum_set_spec": {"number": 9},
    }))
    .await;
    farm.write("a", "A\n");
    write_manifest(&farm, (0..5).map(|n| farm.datum(n, "a")).collect()).await;
    let segment = Segment { first: 0, count: 5 };
    let sets = SegmentSets::beginning_at(vec![0]);
    let agreed = farm.ledger.agree_on_sets(farm.job, segment, sets).await;
    agreed.unwrap();
    let Message::Task(hint) = task(
        &farm,
        TaskDatums::Manifest(ManifestRange {
            segment: 0,
            first: 0,
            count: 5,
        }),
    ) else {
        panic!("a task");
    };
    let hint = Message::Task(Task {
        unit: Some(CommitUnit::Set(0)),
        ..hint
    });
    farm.publish_body(encode_for(&hint, None).unwrap()).await;
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    farm.tokens.soft.cancel();
    open(&farm.path("go"));
    worker.await.unwrap().unwrap();
    let key = farm.ledger.job_key(farm.job).await.unwrap();
    let mut queue = farm.broker.consume(&farm.datums(), 9).await.unwrap();
    let back = timeout(SOON, queue.next()).await.unwrap().unwrap();
    assert!(matches!(
        authenticity(&back.body, key.as_ref()),
        Authenticity::Unsigned
    ));
}
