//! With `datum_batching` one process takes datum after datum, and each of them succeeds, fails and is tried again by itself.

use std::collections::BTreeSet;
use std::fs;

use drover_tests::{Outcome, Spec, Workspace};

/// A pipeline whose command copies each input, and does `more` with each datum before.
fn copies(more: &str) -> Spec {
    let script = format!(
        r#"echo $$ >> "$OUTSIDE/started"
        while next-datum; do . /pfs/.env; {more}
        cp "$in" /pfs/out/; echo "$PACH_DATUM_ID" >> "$OUTSIDE/ids"; done"#
    );
    stays(&script)
}

fn stays(script: &str) -> Spec {
    Spec::new("made")
        .reads("in", "/*")
        .sh(script)
        .set("transform.datum_batching", true)
        .set("datum_tries", 3)
}

/// The run of a pipeline over four files, with one worker.
fn run(workspace: &Workspace, spec: &Spec) -> Outcome {
    workspace.numbered_files("in", 4);
    workspace.start_run(spec, &["--workers", "1"]).finish()
}

#[test]
fn one_process_takes_all_datums_and_learns_of_each() {
    let workspace = Workspace::new();
    let job = run(&workspace, &copies("")).code(0).job();
    assert_eq!(job.counts(), "4: 4 processed");
    assert_eq!(workspace.tree("made"), workspace.tree("in"));
    assert_eq!(workspace.line_count("started"), 1);
    let ids: BTreeSet<_> = workspace.tally("ids").into_keys().collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    let again = workspace.run(&copies("")).code(0).job();
    assert_eq!(again.counts(), "4: 4 skipped");
}

#[test]
fn a_datum_that_failed_once_is_tried_again() {
    let once = |what: &str| format!("if [ ! -e /tmp/once ]; then touch /tmp/once; {what}; fi");
    for (what, started) in [
        ("next-datum --error 'not this time'; . /pfs/.env", 1),
        ("exit 1", 2),
        ("sleep 1000", 2),
    ] {
        let workspace = Workspace::new();
        let spec = copies(&once(what)).set("datum_timeout", "2s");
        let job = run(&workspace, &spec).code(0).job();
        assert_eq!(job.counts(), "4: 4 processed", "{what}");
        assert_eq!(workspace.tree("made"), workspace.tree("in"), "{what}");
        assert_eq!(workspace.line_count("started"), started, "{what}");
    }
}

#[test]
fn a_command_that_fails_at_a_datum_fails_the_job_and_says_why() {
    for (what, why) in [
        ("exit 1", "exit 1"),
        (
            "while :; do next-datum --error 'no such column'; done",
            "no such column",
        ),
        ("exit 0", "exited prematurely"),
    ] {
        let workspace = Workspace::new();
        let spec = copies(what).set("datum_tries", 2);
        let job = run(&workspace, &spec).code(1).job();
        assert_eq!(job.state(), "failure", "{what}");
        assert!(job.reason().contains(why), "{what}: {}", job.reason());
        assert!(workspace.tree("made").is_empty(), "{what}");
    }
}

#[test]
fn a_datum_that_is_given_up_is_the_only_one_that_fails_wherever_that_is_said() {
    for loops in [
        r#"while next-datum; do . /pfs/.env
            if [ "$(cat "$in")" = 1 ]; then next-datum --error odd; else cp "$in" /pfs/out/; fi
        done"#,
        r#"error=; while next-datum --error "$error"; do . /pfs/.env; error=
            if [ "$(cat "$in")" = 1 ]; then error=odd; else cp "$in" /pfs/out/; fi
        done"#,
        r#"next-datum; while :; do . /pfs/.env
            if [ "$(cat "$in")" = 1 ]; then next-datum --error odd; else cp "$in" /pfs/out/; next-datum; fi
        done"#,
    ] {
        let workspace = Workspace::new();
        let spec = stays(loops).set("transform.err_cmd", serde_json::json!(["true"]));
        let job = run(&workspace, &spec).code(0).job();
        assert_eq!(job.counts(), "4: 3 processed, 1 recovered", "{loops}");
        assert_eq!(
            workspace.tree("made").paths(),
            ["000", "002", "003"],
            "{loops}"
        );
    }
}

#[test]
fn only_the_datum_in_hand_pays_for_the_end_of_its_process_and_err_cmd_may_save_it() {
    let workspace = Workspace::new();
    let spec = copies(r#"if [ "$(basename "$in")" = 002 ]; then exit 9; fi"#)
        .set(
            "transform.err_cmd",
            serde_json::json!(["sh", "-c", "test -e \"$in\""]),
        )
        .set("datum_tries", 2);
    let job = run(&workspace, &spec).code(0).job();
    assert_eq!(job.counts(), "4: 3 processed, 1 recovered");
    assert_eq!(workspace.tree("made").len(), 3);
}

#[test]
fn a_command_that_never_asks_is_ended_with_its_job() {
    let workspace = Workspace::new();
    let spec = stays("sleep 1000").set("job_timeout", "2s");
    assert_eq!(run(&workspace, &spec).code(3).job().state(), "killed");
}

#[test]
fn what_a_command_still_writes_after_a_datum_changes_no_output() {
    let workspace = Workspace::new();
    let script = r#"
        while next-datum; do . /pfs/.env
            if [ -e /tmp/open ]; then echo late >&3; echo late >&4; fi
            touch /tmp/open; mkdir -p /pfs/out/deep
            exec 3> "/pfs/out/$DROVER_DATUM_INDEX" 4> "/pfs/out/deep/$DROVER_DATUM_INDEX"
            echo first >&3; echo first >&4; ln -s "$DROVER_DATUM_INDEX" "/pfs/out/link-$DROVER_DATUM_INDEX"
        done"#;
    run(&workspace, &stays(script)).code(0);
    let made = workspace.tree("made");
    assert_eq!(made.len(), 12, "{made:?}");
    for file in ["0", "deep/1", "link-2"] {
        let text = fs::read_to_string(workspace.path(&format!("made/{file}"))).unwrap();
        assert_eq!(text, "first\n", "{file}");
    }
}

#[test]
fn outside_of_such_a_pipeline_nobody_can_be_asked() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1);
    let spec = Spec::new("made")
        .reads("in", "/*")
        .sh("ls -A /tmp; ! command -v next-datum && test -z \"$DROVER_NEXT_DATUM\"");
    workspace.succeeds(&spec);
    assert_eq!(workspace.call(&["logs", "last"]).code(0).stdout, "");
}
