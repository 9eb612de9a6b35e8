//! The journey of datums on a real worker: real processes, a real folder, the embedded queue.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may unwrap as tests do"
)]

mod again;
mod breaking;
mod bucket;
mod control;
mod copies;
mod farm;
mod output;
mod prefetch;
mod retries;
mod returns;
mod scratch;
mod sets;
mod sharing;
mod staging;
mod trust;

use drover_shared::datum::{Output, VerdictState, content_hash};
use drover_shared::store::layout;
use farm::Farm;

#[tokio::test(flavor = "multi_thread")]
async fn a_datum_becomes_a_verdict_with_its_output() {
    let mut farm = Farm::new("tr a-z A-Z < $in > /pfs/out/upper.txt; echo done >&2").await;
    farm.write("a.txt", "hello\n");
    let verdict = farm.run_one("a.txt").await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!(verdict.attempts, 1);
    let staged = layout::staged_file(farm.job, &verdict.staged, 0);
    let entry = farm.ledger.store().entry(&staged).await.unwrap();
    assert_eq!(
        verdict.outputs,
        [Output {
            path: "/upper.txt".into(),
            size: 6,
            hash: Some(content_hash(&b"HELLO\n"[..]).unwrap()),
            version: Some(entry.version),
        }]
    );
    assert_eq!(farm.output(&verdict, "/upper.txt"), "HELLO\n");
    assert_eq!(verdict.stats.download_bytes, 6);
    assert_eq!(verdict.stats.upload_bytes, 6);
    let committed = farm.ledger.committed(farm.job, 0).await.unwrap().unwrap();
    assert_eq!(committed.staged, verdict.staged);
    assert!(farm.logs(0).await[0].ends_with("stderr F done\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_datums_share_the_slots_and_none_is_lost() {
    let mut farm = Farm::new("cp $in /pfs/out/").await;
    for n in 0..100 {
        farm.write(&format!("{n}"), &n.to_string());
    }
    for n in 0..100 {
        farm.publish(vec![farm.datum(n, &n.to_string())]).await;
    }
    let mut settings = farm.settings();
    settings.slots = 3.try_into().unwrap();
    let worker = farm.work(settings);
    let mut ended = Vec::new();
    for _ in 0..100 {
        let (verdict, first) = farm.ended().await;
        assert!(first);
        let n = verdict.index.to_string();
        assert_eq!(farm.output(&verdict, &format!("/{n}")), n);
        ended.push(verdict.index);
    }
    ended.sort_unstable();
    assert_eq!(ended, (0..100).collect::<Vec<_>>());
    farm.tokens.soft.cancel();
    worker.await.unwrap().unwrap();
    let scratch = farm.path(".drover/scratch");
    assert_eq!(
        std::fs::read_dir(scratch).unwrap().count(),
        0,
        "scratch is left behind"
    );
}
