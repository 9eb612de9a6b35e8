//! The inputs as the command sees them.

use std::os::unix::fs::symlink;

use drover_shared::datum::{
    Cause, Datum, InputKind, TreeHash, Verdict, VerdictState, short_version,
};
use serde_json::{Value, json};

use crate::farm::{Farm, WAIT_FOR_GO, exists, open};

/// Shows all that a command sees below `/pfs/in`: path and text of each file, sorted.
const SHOW: &str = "cd /pfs/in; find . -type f | sort | while read f; do echo \"$f=$(cat $f)\"; done > /pfs/out/seen";

async fn farm(leaf: Value) -> Farm {
    let mut pfs = json!({"repo": "in", "glob": "/*"});
    pfs.as_object_mut()
        .unwrap()
        .extend(leaf.as_object().unwrap().clone());
    Farm::with(json!({
        "transform": {"cmd": ["sh", "-c", SHOW]},
        "input": {"pfs": pfs},
        "datum_tries": 1,
    }))
    .await
}

async fn run(farm: &mut Farm, datum: Datum) -> Verdict {
    farm.publish(vec![datum]).await;
    let _worker = farm.work(farm.settings());
    farm.ended().await.0
}

fn input_error(verdict: &Verdict) -> &str {
    match &verdict.cause {
        Some(Cause::Input { message }) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_seen_as_it_is() {
    let mut farm = farm(json!({})).await;
    farm.write("d/a", "A");
    farm.write("d/sub/b", "B");
    let datum = farm.datum(0, "d");
    let verdict = run(&mut farm, datum).await;
    assert_eq!(farm.output(&verdict, "/seen"), "./d/a=A\n./d/sub/b=B\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_excluded_is_not_seen() {
    let mut farm = farm(json!({"exclude": ["/d/skip", "/**.tmp"]})).await;
    farm.write("d/a", "A");
    let mut datum = farm.datum(0, "d");
    for path in ["d/b.tmp", "d/skip/c", "d/sub/d.tmp", "d/sub/e"] {
        farm.write(path, "xx");
    }
    datum.inputs[0].size = 3;
    let verdict = run(&mut farm, datum).await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!(farm.output(&verdict, "/seen"), "./d/a=A\n./d/sub/e=xx\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_the_input_folder_are_seen_as_files() {
    let mut farm = farm(json!({})).await;
    farm.write("d/a", "A");
    farm.write("elsewhere/b", "BB");
    symlink("../elsewhere/b", farm.path("in/d/link")).unwrap();
    symlink("../elsewhere", farm.path("in/d/linked")).unwrap();
    let mut datum = farm.datum(0, "d");
    datum.inputs[0].size = 5;
    let verdict = run(&mut farm, datum).await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!(
        farm.output(&verdict, "/seen"),
        "./d/a=A\n./d/link=BB\n./d/linked/b=BB\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_file_is_followed_inside_the_store_only() {
    for (target, inside) in [("a", true), ("/etc/hostname", false)] {
        let mut farm = farm(json!({})).await;
        farm.write("a", "A");
        symlink(target, farm.path("in/link")).unwrap();
        let datum = farm.datum(0, "link");
        let verdict = run(&mut farm, datum).await;
        if inside {
            assert_eq!(farm.output(&verdict, "/seen"), "./link=A\n");
        } else {
            assert!(
                input_error(&verdict).contains("leaves the store"),
                "{verdict:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_files_have_names_alone() {
    let mut farm = farm(json!({"empty_files": true})).await;
    farm.write("d/a", "A");
    let datum = farm.datum(0, "d");
    let verdict = run(&mut farm, datum).await;
    assert_eq!(farm.output(&verdict, "/seen"), "./d/a=\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_an_empty_file_is_stored_with_the_content() {
    let script = "ln -s $in/a /pfs/out/x; ln -s ../in/d/sub /pfs/out/y; cat $in/a > /pfs/out/z";
    let mut farm = Farm::with(json!({
        "transform": {"cmd": ["sh", "-c", script]},
        "input": {"pfs": {"repo": "in", "glob": "/*", "empty_files": true}},
    }))
    .await;
    farm.write("d/a", "A");
    farm.write("d/sub/b", "B");
    let datum = farm.datum(0, "d");
    let verdict = run(&mut farm, datum).await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    let texts = ["/x", "/y/b", "/z"].map(|path| farm.output(&verdict, path));
    assert_eq!(texts, ["A", "B", ""]);
}

/// A change of the input `in/a` after the listing.
type Change = fn(&Farm);

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_changed_or_vanished_fails_its_datum() {
    let rows: [(&str, Change); 3] = [
        ("changed since", |farm| farm.write("a", "longer")),
        ("vanished since", |farm| {
            std::fs::remove_file(farm.path("in/a")).unwrap();
        }),
        ("no longer a file", |farm| {
            std::fs::remove_file(farm.path("in/a")).unwrap();
            std::fs::create_dir(farm.path("in/a")).unwrap();
        }),
    ];
    for (expected, change) in rows {
        let mut farm = farm(json!({})).await;
        farm.write("a", "A");
        let datum = farm.datum(0, "a");
        change(&farm);
        let verdict = run(&mut farm, datum).await;
        assert_eq!(verdict.state, VerdictState::Failed);
        let message = input_error(&verdict);
        assert!(
            message.contains(expected) && message.contains("in/a"),
            "{message}"
        );
    }
}

/// Runs a datum over `path` whose command waits, changes the inputs meanwhile, and lets it end.
async fn change_while_running(farm: &mut Farm, path: &str, change: Change) -> Verdict {
    let datum = listed(farm, path);
    farm.publish(vec![datum]).await;
    let worker = farm.work(farm.settings());
    exists(&farm.path("running")).await;
    change(farm);
    open(&farm.path("go"));
    let (verdict, _) = farm.ended().await;
    worker.abort();
    verdict
}

/// The datum of `path` with tag and version as a listing of the repo `in` finds them.
fn listed(farm: &Farm, path: &str) -> Datum {
    let mut datum = farm.datum(0, path);
    let input = &mut datum.inputs[0];
    let prefix = "in".parse().unwrap();
    let mut walk = farm.ledger.store().walk(&prefix).unwrap();
    let mut tree = TreeHash::default();
    while let Some(entry) = walk.next() {
        let entry = entry.unwrap();
        let tag = walk.tag(&entry).unwrap();
        if entry.path == input.path {
            input.version = Some(short_version(&entry.version));
            input.tag = tag;
        } else if let Some(below) = entry.path.strip_prefix(&input.path) {
            tree.add(below, entry.size, &tag, &entry.version);
        }
    }
    if input.kind == InputKind::Dir {
        input.version = tree.version_beside_tag();
        input.tag = tree.tag();
    }
    datum
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_void_if_its_input_changed_meanwhile() {
    let rows: [(&str, &str, Change); 6] = [
        ("edited in place", "a", |farm| farm.write("a", "B")),
        ("replaced", "a", |farm| {
            farm.write("new", "A");
            std::fs::rename(farm.path("in/new"), farm.path("in/a")).unwrap();
        }),
        ("removed", "a", |farm| {
            std::fs::remove_file(farm.path("in/a")).unwrap();
        }),
        ("a file of the directory", "d", |farm| {
            farm.write("d/b", "C");
        }),
        ("one more file", "d", |farm| farm.write("d/c", "C")),
        ("a linked file of the directory", "l", |farm| {
            farm.write("d/b", "C");
        }),
    ];
    for (name, path, change) in rows {
        let mut farm = Farm::new(WAIT_FOR_GO).await;
        farm.write("a", "A");
        farm.write("d/b", "B");
        farm.write("l/other", "O");
        symlink(farm.path("in/d/b"), farm.path("in/l/link")).unwrap();
        let verdict = change_while_running(&mut farm, path, change).await;
        assert_eq!(verdict.state, VerdictState::Failed, "{name}");
        assert_eq!(verdict.attempts, 1, "{name}");
        let message = input_error(&verdict);
        let expected = format!("input in/{path} changed while its datum ran");
        assert!(message.contains(&expected), "{name}: {message}");
        assert!(verdict.outputs.is_empty() && farm.staged_files().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_was_touched_meanwhile_costs_an_attempt() {
    for path in ["a", "d"] {
        let mut farm = Farm::new(WAIT_FOR_GO).await;
        farm.write("a", "A");
        farm.write("d/b", "B");
        let touch: Change = |farm| {
            farm.write("a", "A");
            farm.write("d/b", "B");
        };
        let verdict = change_while_running(&mut farm, path, touch).await;
        assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
        assert_eq!(verdict.attempts, 2, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_counts_by_its_content_if_it_looks_unlike_the_listing() {
    let edits: [(&str, bool); 2] = [("A", true), ("B", false)];
    for path in ["a", "d", "l"] {
        for (text, is_same) in edits {
            let mut farm = farm(json!({})).await;
            farm.write("a", "A");
            farm.write("d/b", "A");
            farm.write("l/other", "O");
            symlink(farm.path("in/d/b"), farm.path("in/l/link")).unwrap();
            let datum = listed(&farm, path);
            farm.write("new", text);
            for file in ["in/a", "in/d/b"] {
                std::fs::copy(farm.path("in/new"), farm.path("copy")).unwrap();
                std::fs::rename(farm.path("copy"), farm.path(file)).unwrap();
            }
            let verdict = run(&mut farm, datum).await;
            assert_eq!(
                verdict.cause.is_none(),
                is_same,
                "{path} {text}: {:?}",
                verdict.cause
            );
            if !is_same {
                let message = input_error(&verdict);
                assert!(
                    message.contains("changed since the job listed it"),
                    "{message}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_directory_fails_its_datum() {
    let mut farm = farm(json!({})).await;
    farm.write("d/a", "A");
    let datum = farm.datum(0, "d");
    farm.write("d/b", "B");
    let verdict = run(&mut farm, datum).await;
    assert!(
        input_error(&verdict).contains("changed since"),
        "{verdict:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_cannot_be_written_to() {
    let script = "echo x >> $in || echo refused > /pfs/out/x";
    let mut farm = Farm::new(script).await;
    farm.write("a", "A");
    let verdict = farm.run_one("a").await;
    assert_eq!(farm.output(&verdict, "/x"), "refused\n");
    assert_eq!(std::fs::read_to_string(farm.path("in/a")).unwrap(), "A");
}
