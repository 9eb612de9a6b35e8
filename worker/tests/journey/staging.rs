//! What the command sees of its inputs.

use std::os::unix::fs::symlink;

use drover_shared::datum::{Cause, Datum, Verdict, VerdictState};
use serde_json::{Value, json};

use crate::farm::Farm;

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

/// Something that happens to the input `in/a` after it was listed.
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
