//! The promises of `drover run` on a folder hold on a bucket.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use drover_tests::{Running, Spec, Tree, eventually, files, repository};

use crate::field::Field;

#[test]
fn every_example_gives_its_expected_output() {
    let examples = fs::read_dir(repository().join("examples")).unwrap();
    let examples = examples.map(|entry| entry.unwrap().path());
    // Some are scripts around pipelines; those are tried where there are workers.
    let examples: Vec<_> = examples
        .filter(|example| example.join("pipelines.yaml").exists())
        .collect();
    assert!(examples.len() >= 7, "{examples:?}");
    for example in examples {
        let field = Field::new();
        upload(&field, &example, "");
        let spec = example.join("pipelines.yaml");
        field.call(&["run", spec.to_str().unwrap()]).code(0);
        for expected in fs::read_dir(example.join("expected")).unwrap() {
            let expected = expected.unwrap();
            let pipeline = expected.file_name().into_string().unwrap();
            assert_eq!(
                field.tree(&pipeline),
                Tree::read(&expected.path()),
                "{pipeline}"
            );
        }
    }
}

/// Puts all files below a folder.
fn upload(field: &Field, folder: &Path, at: &str) {
    for entry in fs::read_dir(folder)
        .expect("an example is a folder")
        .flatten()
    {
        let at = format!("{at}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            upload(field, &entry.path(), &format!("{at}/"));
        } else {
            field.put(&at, fs::read(entry.path()).expect("an example is readable"));
        }
    }
}

/// Notes each run in `runs`, and writes a file of its own and a piece of a common one.
fn spec() -> Spec {
    Spec::new("made").reads("in", "/*").sh(r#"
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/runs"
        cp "$in" /pfs/out/; cat "$in" > /pfs/out/all"#)
}

#[test]
fn pieces_of_one_file_are_put_together_in_the_order_of_the_datums() {
    let field = Field::new();
    field.s3.put_numbered("cluster/in", 12);
    field.succeeds(&spec());
    let all = (0..12).fold(String::new(), |all, number| format!("{all}{number}\n"));
    assert_eq!(
        fs::read_to_string(field.s3.path("cluster/made/all")).unwrap(),
        all
    );
    assert_eq!(field.tree("made").len(), 13);
}

#[test]
fn a_failed_job_publishes_nothing_and_what_succeeded_in_it_is_kept() {
    let field = Field::new();
    field.s3.put_numbered("cluster/in", 4);
    let failing =
        spec().sh(r#"echo >> "$OUTSIDE/runs"; cp "$in" /pfs/out/; [ "$(cat "$in")" != 2 ]"#);
    let job = field.fails(&failing);
    assert_eq!(job.counts(), "4: 3 processed, 1 failed");
    assert!(field.tree("made").is_empty());
    field.put("in/002", "two\n");
    assert_eq!(
        field.succeeds(&failing).counts(),
        "4: 1 processed, 3 skipped"
    );
    assert_eq!(field.tree("made").len(), 4);
}

#[test]
fn killed_at_any_moment_and_run_again_it_ends_as_if_undisturbed() {
    let undisturbed = Field::new();
    undisturbed.s3.put_numbered("cluster/in", 20);
    undisturbed.succeeds(&spec());
    let field = Field::new();
    field.s3.put_numbered("cluster/in", 20);
    let mut committed = BTreeSet::new();
    for runs in [1, 3, 8] {
        kill_after(&field, field.start_run(&spec()), runs);
        for index in done(&field) {
            let runs = field.workspace.tally("runs")[&index];
            committed.insert((index, runs));
        }
    }
    field.succeeds(&spec());
    assert_eq!(field.tree("made"), undisturbed.tree("made"));
    assert!(!committed.is_empty(), "nothing was committed before a kill");
    for (index, runs) in committed {
        assert_eq!(
            field.workspace.tally("runs")[&index],
            runs,
            "{index} ran again"
        );
    }
}

/// Cuts a run off when it has begun so many more commands.
fn kill_after(field: &Field, mut running: Running, runs: usize) {
    let enough = field.workspace.line_count("runs") + runs;
    eventually("some commands ran", || {
        field.workspace.line_count("runs") >= enough || running.has_ended()
    });
    running.kill();
}

/// The indexes that the last job committed.
fn done(field: &Field) -> Vec<String> {
    let datums = field.call(&["datums", "last", "--output", "json", "--state", "success"]);
    if datums.status.code() != Some(0) {
        return Vec::new(); // killed before its records existed
    }
    let lines = datums.lines();
    lines
        .iter()
        .map(|datum| datum["index"].to_string())
        .collect()
}

#[test]
fn the_books_are_read_from_anywhere() {
    let field = Field::new();
    field.put("in/a", "ant\n");
    let job = field.succeeds(&spec().sh("echo said of $(cat $in); cp $in /pfs/out/"));
    let listed = field.call(&["jobs", "--output", "json"]).code(0).lines();
    assert_eq!(listed[0]["job"], job.id());
    let datums = field
        .call(&["datums", "last", "--output", "json"])
        .code(0)
        .lines();
    assert_eq!(datums[0]["outputs"][0]["path"], "/a");
    let logs = field.call(&["logs", "last"]).code(0).stdout;
    assert!(logs.contains("said of ant"), "{logs}");
    let shown = field
        .call(&["job", job.id(), "--output", "json"])
        .code(0)
        .job();
    assert_eq!(shown.state(), "success");
    field.call(&["wait", "last"]).code(0);
}

#[test]
fn commands_see_nothing_of_the_credentials() {
    let field = Field::new();
    field.put("in/a", "");
    field.succeeds(&spec().sh("env > /pfs/out/environment"));
    let told = fs::read_to_string(field.s3.path("cluster/made/environment")).unwrap();
    assert!(
        told.contains("PACH_DATUM_ID") && !told.contains("AWS_"),
        "{told}"
    );
    assert!(!told.contains(field.s3.secret()), "{told}");
}

#[test]
fn outputs_of_inputs_that_are_gone_go_too() {
    let field = Field::new();
    field.s3.put_numbered("cluster/in", 3);
    field.succeeds(&Spec::new("copy").reads("in", "/*"));
    field.s3.remove("cluster/in/001");
    let job = field.succeeds(&Spec::new("copy").reads("in", "/*"));
    assert_eq!(job.counts(), "2: 2 skipped");
    assert_eq!(field.tree("copy"), files([("000", "0\n"), ("002", "2\n")]));
}
