//! The journey on a store that is no folder: inputs come down, outputs go up.

use bytes::Bytes;
use drover_shared::datum::{Cause, Datum, InputKind, Verdict, VerdictState};
use drover_shared::store::{Store, StoreKey, layout};
use serde_json::json;

use crate::farm::Farm;

async fn farm(script: &str) -> Farm {
    let mut farm = Farm::new(script).await;
    let objects = [("in/a", "A\n"), ("in/d/b", "B\n"), ("in/d/sub/c", "C\n")];
    let store = Store::in_memory();
    for (key, text) in objects {
        let key = StoreKey::parse(key).unwrap();
        store.put(&key, Bytes::from(text)).await.unwrap();
        farm.write(key.as_str().trim_start_matches("in/"), text);
    }
    farm.move_to(store).await;
    farm
}

async fn run(farm: &mut Farm, datum: Datum) -> Verdict {
    farm.publish(vec![datum]).await;
    let _worker = farm.work(farm.settings());
    farm.ended().await.0
}

async fn stored(farm: &Farm, verdict: &Verdict, n: usize) -> Bytes {
    let key = layout::staged_file(farm.job, &verdict.staged, n);
    farm.ledger.store().get(&key).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_directories_are_downloaded_and_outputs_uploaded() {
    let script =
        "find /pfs/in -type f | sort | xargs cat > /pfs/out/x; ln -s $in /pfs/out/y; echo said";
    let mut farm = farm(script).await;
    let mut datum = farm.datum(0, "a");
    datum.inputs.extend(farm.datum(0, "d").inputs);
    assert_eq!(datum.inputs[1].kind, InputKind::Dir);
    let verdict = run(&mut farm, datum).await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    let paths: Vec<_> = verdict.outputs.iter().map(|output| &*output.path).collect();
    assert_eq!(paths, ["/x", "/y/b", "/y/sub/c"]);
    assert_eq!(stored(&farm, &verdict, 0).await, "A\nB\nC\n");
    assert_eq!(stored(&farm, &verdict, 2).await, "C\n");
    assert!(farm.logs(0).await[0].ends_with("stdout F said\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_changed_or_vanished_fails_its_datum() {
    for change in [Some("longer\n"), None] {
        let mut farm = farm("true").await;
        let key = StoreKey::parse("in/a").unwrap();
        match change {
            Some(text) => farm
                .ledger
                .store()
                .put(&key, Bytes::from(text))
                .await
                .unwrap(),
            None => farm.ledger.store().delete(&key).await.unwrap(),
        }
        let datum = farm.datum(0, "a");
        let verdict = run(&mut farm, datum).await;
        assert!(
            matches!(verdict.cause, Some(Cause::Input { .. })),
            "{:?}",
            verdict.cause
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_an_empty_file_downloads_that_file_alone() {
    let mut farm = farm("true").await;
    let spec = json!({
        "transform": {"cmd": ["sh", "-c", "ln -s /pfs/in/d/b /pfs/out/x; wc -c < /pfs/in/d/sub/c > /pfs/out/y"]},
        "input": {"pfs": {"repo": "in", "glob": "/*", "empty_files": true}},
    });
    farm.open_job(spec).await;
    let datum = farm.datum(0, "d");
    let verdict = run(&mut farm, datum).await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!(stored(&farm, &verdict, 0).await, "B\n");
    assert_eq!(stored(&farm, &verdict, 1).await, "0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_a_cross_shows_to_many_datums_is_downloaded_once() {
    let mut farm = farm("cat /pfs/in/model > /pfs/out/x").await;
    let model = "m".repeat(1 << 20);
    let key = StoreKey::parse("in/model").unwrap();
    let store = farm.ledger.store().clone();
    store.put(&key, Bytes::from(model.clone())).await.unwrap();
    farm.write("model", &model);
    let cross = json!({
        "transform": {"cmd": ["sh", "-c", "cat /pfs/in/model > /pfs/out/x"]},
        "input": {"cross": [{"pfs": {"repo": "in", "glob": "/*"}}, {"pfs": {"repo": "in", "name": "other", "glob": "/*"}}]},
    });
    farm.open_job(cross).await;
    let first = farm.datum(0, "model");
    farm.publish(vec![first]).await;
    let _worker = farm.work(farm.settings());
    assert_eq!(farm.ended().await.0.state, VerdictState::Success);
    // A second download would fail, as the object is gone.
    store.delete(&key).await.unwrap();
    let second = farm.datum(1, "model");
    farm.publish(vec![second]).await;
    let verdict = farm.ended().await.0;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!(stored(&farm, &verdict, 0).await, model);
}
