//! Files that a command may leave in its output directory, and the stored result.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use drover_shared::datum::{Cause, Verdict, VerdictState};
use drover_shared::wire::Event;
use serde_json::json;

use crate::farm::Farm;

/// Runs the script over `in/a.txt` ("A\n") in a directory datum `d` that holds `b.txt` ("B\n") too.
async fn run(script: &str) -> (Farm, Verdict) {
    let spec = json!({"transform": {"cmd": ["sh", "-c", script]}, "datum_tries": 1});
    let mut farm = Farm::with(spec).await;
    farm.write("d/a.txt", "A\n");
    farm.write("d/sub/b.txt", "B\n");
    let verdict = farm.run_one("d").await;
    (farm, verdict)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_stored_in_byte_order_of_their_paths() {
    let script = "cd /pfs/out; mkdir -p b/c empty/er; echo 1 > b/c/x; echo 2 > b.txt; echo 3 > 'ü %#\\'; : > b/0";
    let (farm, verdict) = run(script).await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    let paths: Vec<_> = verdict.outputs.iter().map(|output| &*output.path).collect();
    assert_eq!(paths, ["/b.txt", "/b/0", "/b/c/x", "/ü %#\\"]);
    assert_eq!(farm.output(&verdict, "/b/c/x"), "1\n");
    assert_eq!(farm.output(&verdict, "/ü %#\\"), "3\n");
    assert_eq!(verdict.outputs[1].size, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_nested_too_deep_fail_the_datum() {
    let script = r#"python3 -c 'import os
os.chdir("/pfs/out")
for level in range(2500):
    os.mkdir("d"); os.chdir("d")'"#;
    let (_farm, verdict) = run(script).await;
    let message = match verdict.cause {
        Some(Cause::Output { message, .. }) => message,
        other => panic!("{other:?}"),
    };
    assert!(message.contains("nested more than 500 levels"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_inside_the_datum_are_stored_as_files() {
    let rows = [
        (
            "to an input",
            "ln -s /pfs/in/d/a.txt /pfs/out/x",
            &[("/x", "A\n")][..],
        ),
        (
            "relative",
            "cd /pfs/out; mkdir s; echo 1 > y; ln -s ../y s/x",
            &[("/s/x", "1\n"), ("/y", "1\n")],
        ),
        (
            "up to an input",
            "ln -s ../in/d/sub/b.txt /pfs/out/x",
            &[("/x", "B\n")],
        ),
        (
            "over a link",
            "cd /pfs/out; ln -s /tmp/t x; ln -s /pfs/in/d/a.txt /tmp/t",
            &[("/x", "A\n")],
        ),
        (
            "to a directory",
            "ln -s /pfs/in/d /pfs/out/x",
            &[("/x/a.txt", "A\n"), ("/x/sub/b.txt", "B\n")],
        ),
        (
            "to what only leads to inputs",
            "ln -s /pfs/in /pfs/out/x",
            &[("/x/d/a.txt", "A\n"), ("/x/d/sub/b.txt", "B\n")],
        ),
        (
            "to /tmp",
            "echo T > /tmp/t; ln -s /tmp/t /pfs/out/x",
            &[("/x", "T\n")],
        ),
        (
            "through a linked directory",
            "ln -s /pfs/in/d /tmp/d; ln -s /tmp/d/sub/b.txt /pfs/out/x",
            &[("/x", "B\n")],
        ),
        (
            "hard",
            "cd /pfs/out; echo 1 > x; ln x y",
            &[("/x", "1\n"), ("/y", "1\n")],
        ),
    ];
    for (name, script, expected) in rows {
        let (farm, verdict) = run(script).await;
        assert_eq!(
            verdict.state,
            VerdictState::Success,
            "{name}: {:?}",
            verdict.cause
        );
        let files: Vec<_> = verdict
            .outputs
            .iter()
            .map(|output| (&*output.path, farm.output(&verdict, &output.path)))
            .collect();
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, &**text)).collect();
        assert_eq!(files, expected, "{name}");
        // A stored file is no second name of the user's file.
        let input = farm.path("in/d/a.txt");
        assert!(
            !std::fs::metadata(&input).unwrap().permissions().readonly(),
            "{name}"
        );
        assert_eq!(std::fs::read_to_string(input).unwrap(), "A\n", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_fails_the_datum_and_is_named() {
    let rows = [
        (
            "ln -s /etc/passwd /pfs/out/x",
            "/x: it is a link that leads to /etc/passwd, outside",
        ),
        (
            "ln -s ../../etc/passwd /pfs/out/x",
            "/x: it is a link that leads to /etc/passwd, outside",
        ),
        (
            "ln -s /pfs /pfs/out/x",
            "/x: it is a link that leads to /pfs, outside",
        ),
        (
            "ln -s nowhere /pfs/out/x",
            "/x: it is a link that leads to /pfs/out/nowhere, which does not exist",
        ),
        ("ln -s x /pfs/out/x", "/x: it is a link in a loop"),
        (
            "mkdir /pfs/out/d; ln -s . /pfs/out/d/x",
            "it is a link to a directory that contains it",
        ),
        (
            "ln -s /etc /tmp/e; ln -s /tmp/e/passwd /pfs/out/x",
            "/x: it is a link that leads to /etc",
        ),
        ("mkfifo /pfs/out/x", "/x: it is a FIFO"),
        ("mknod /pfs/out/x c 1 3 || mkfifo /pfs/out/x", "/x: it is a"),
        (
            "cd /pfs/out; echo > $(printf '\\377')",
            "its name is not valid Unicode",
        ),
    ];
    for (script, expected) in rows {
        let (farm, verdict) = run(script).await;
        assert_eq!(verdict.state, VerdictState::Failed, "{script}");
        let Some(Cause::Output { message }) = &verdict.cause else {
            panic!("{script}: {:?}", verdict.cause);
        };
        assert!(message.contains(expected), "{script}: {message}");
        assert!(
            verdict.outputs.is_empty() && farm.staged_files().is_empty(),
            "{script}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_closed_to_us_is_collected_all_the_same() {
    let script =
        "cd /pfs/out; mkdir -p a/b; echo 1 > a/b/x; chmod 000 a/b/x; chmod 000 a/b; chmod 500 a";
    let (farm, verdict) = run(script).await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!(farm.output(&verdict, "/a/b/x"), "1\n");
}

/// The file number and the number of names of a file.
fn identity(file: &Path) -> (u64, u64) {
    let metadata = std::fs::metadata(file).unwrap();
    (metadata.ino(), metadata.nlink())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_is_never_a_second_name_for_a_file_of_the_user() {
    let mut farm = Farm::new("ln -s $in /pfs/out/x").await;
    farm.write("a", "A\n");
    let input = farm.path("in/a");
    std::fs::set_permissions(&input, Permissions::from_mode(0o444)).unwrap();
    let verdict = farm.run_one("a").await;
    assert_eq!(farm.output(&verdict, "/x"), "A\n");
    assert_eq!(identity(&input).1, 1, "the input has one name");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_names_for_one_file_become_two_files() {
    let (farm, verdict) = run("cd /pfs/out; echo 1 > x; ln x y; chmod 0 x").await;
    assert_eq!(farm.output(&verdict, "/y"), "1\n");
    assert_eq!(verdict.outputs[0].hash, verdict.outputs[1].hash);
    let staged = farm.staged_files();
    assert_eq!(staged.len(), 2);
    for file in &staged {
        assert_eq!(identity(file).1, 1, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_on_very_many_files_refers_to_the_ledger() {
    let mut farm = Farm::new("cd /pfs/out; seq 3000 | xargs touch").await;
    farm.write("a", "A");
    farm.publish(vec![farm.datum(7, "a")]).await;
    let _worker = farm.work(farm.settings());
    let event = loop {
        match farm.report().await.event {
            Event::Running { .. } => {}
            event => break event,
        }
    };
    assert_eq!(
        event,
        Event::Committed {
            index: 7,
            first: true
        }
    );
    let verdict = farm.ledger.committed(farm.job, 7).await.unwrap().unwrap();
    assert_eq!(verdict.outputs.len(), 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_hole_is_not_read() {
    let (_farm, verdict) = run("truncate -s 1T /pfs/out/x").await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!(
        (verdict.outputs[0].size, &verdict.outputs[0].hash),
        (1 << 40, &None)
    );
}
