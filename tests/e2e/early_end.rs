//! A job ends before the last datum, as GNU parallel's `--halt` spells it.

use drover_tests::{Outcome, Spec, Workspace, eventually};

/// The datum that begins first fails once a second datum runs; all but the first go on until the gate is open.
const FIRST_FAILS: &str = r#"
    echo >> "$OUTSIDE/started"
    if mkdir "$OUTSIDE/first" 2>/dev/null; then
        while [ ! -e "$OUTSIDE/second" ]; do sleep 0.01; done
        exit 1
    fi
    touch "$OUTSIDE/second"
    while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
    cp "$in" /pfs/out/"#;

fn spec(script: &str) -> Spec {
    Spec::new("made")
        .reads("in", "/*")
        .sh(script)
        .set("datum_tries", 1)
}

fn halted(workspace: &Workspace, spec: &Spec, halt: &[&str]) -> Outcome {
    let flags = [&["--workers", "2"], halt].concat();
    let running = workspace.start_run(spec, &flags);
    running.finish()
}

#[test]
fn soon_lets_running_datums_end_and_begins_no_other() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 9);
    let flags = ["--workers", "2", "--halt", "soon,fail=1"];
    let mut running = workspace.start_run(&spec(FIRST_FAILS), &flags);
    eventually("two datums ran", || workspace.line_count("started") >= 2);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(!running.has_ended(), "a running datum was cut short");
    // One more may have begun before the leader heard of the failure.
    let begun = workspace.line_count("started");
    assert!(begun <= 3, "{begun} datums began");
    workspace.open_gate("gate");
    let job = running.finish().code(1).job();
    assert_eq!(
        workspace.line_count("started"),
        begun,
        "another datum began"
    );
    assert_eq!(job.count("failed"), 1);
    assert_eq!(job.count("processed"), begun as u64 - 1);
    assert!(
        job.reason()
            .starts_with("halted by soon,fail=1: 1 of 9 datums failed"),
        "{}",
        job.reason()
    );
}

#[test]
fn now_ends_the_running_commands() {
    for halt in [
        &["--halt", "now,fail=1"] as &[_],
        &["--halt=2"],
        &["--fail-fast"],
    ] {
        let workspace = Workspace::new();
        workspace.numbered_files("in", 9);
        let job = halted(&workspace, &spec(FIRST_FAILS), halt).code(1).job();
        assert!(workspace.line_count("started") <= 3, "{halt:?}");
        assert_eq!(job.count("failed"), 1, "{halt:?}");
    }
}

#[test]
fn a_job_that_is_halted_by_successes_did_as_it_was_told_and_its_work_is_kept() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 50);
    let copy = spec(r#"sleep 0.05; cp "$in" /pfs/out/"#);
    let job = halted(&workspace, &copy, &["--halt", "-1"]).code(0).job();
    assert_eq!(job.state(), "killed");
    assert!(workspace.tree("made").is_empty());
    let done = job.count("processed");
    assert!((1..50).contains(&done), "{done} datums were done");
    assert_eq!(workspace.succeeds(&copy).count("skipped"), done);
    let unused = halted(&workspace, &copy, &["--halt", "now,success=10%"]).code(0);
    assert_eq!(unused.job().state(), "success", "there is nothing to run");
}

#[test]
fn a_condition_that_means_nothing_is_refused_with_the_way_out() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1);
    for halt in ["now", "soon,fails=1", "now,fail=0", "later,fail=1", "101%"] {
        halted(&workspace, &spec("true"), &["--halt", halt])
            .code(2)
            .says(&[halt, "soon,fail=1"]);
    }
    halted(&workspace, &spec("true"), &["--fail-fast", "--keep-going"]).code(2);
    halted(&workspace, &spec("true"), &["--halt", "never"]).code(0);
}

/// The first datums of 40, of 1 to 40 kB.
fn growing(workspace: &Workspace) {
    for size in 1..=40_usize {
        workspace.file(&format!("in/{size:02}"), "x".repeat(1000 * size));
    }
}

const COPY: &str = r#"echo "${in##*/}" >> "$OUTSIDE/ran"; cp "$in" /pfs/out/"#;

#[test]
fn the_first_datums_run_tell_of_the_whole_and_are_skipped_by_it() {
    let workspace = Workspace::new();
    growing(&workspace);
    let outcome = halted(&workspace, &spec(COPY), &["--first", "5"]).code(0);
    let records = outcome.lines();
    let (first, whole) = (&records[0], &records[1]);
    assert_eq!(first["state"], "killed");
    assert_eq!(first["ended_as_told"], true);
    assert_eq!(first["datums"]["processed"], 5);
    assert_eq!(first["first"]["of"]["datums"], 40);
    let told = &first["first"]["estimate"];
    // An output is as large as the input.
    let output = told["output_bytes"]["expected"].as_f64().unwrap();
    assert!((output - 820_000.0).abs() < 1.0, "{output}");
    assert_eq!(told["measured"], 5);
    assert_eq!(told["failed"]["expected"], 0.0);
    assert!(told["failed"]["high"].as_f64().unwrap() > 1.0);
    assert_eq!(whole["state"], "success");
    assert_eq!(whole["datums"]["skipped"], 5);
    let ran = workspace.tally("ran");
    assert!(
        ran.len() == 40 && ran.values().all(|times| *times == 1),
        "{ran:?}"
    );
    assert_eq!(workspace.tree("made"), workspace.tree("in"));
}

#[test]
fn first_only_ends_there_and_publishes_nothing() {
    let workspace = Workspace::new();
    growing(&workspace);
    let job = halted(&workspace, &spec(COPY), &["--first", "3", "--first-only"])
        .code(0)
        .job();
    let ran = workspace.tally("ran");
    assert!(
        ran.contains_key("01") && ran.contains_key("40") && ran.len() == 3,
        "{ran:?}"
    );
    assert!(workspace.tree("made").is_empty());
    workspace
        .call(&["retry", job.id()])
        .says(&["only the first datums", "run the pipeline"]);
    assert_eq!(workspace.succeeds(&spec(COPY)).count("skipped"), 3);
}

#[test]
fn a_job_whose_first_datums_all_fail_does_not_begin() {
    let workspace = Workspace::new();
    growing(&workspace);
    let fails = spec("exit 3");
    let outcome = halted(&workspace, &fails, &["--first", "4"]).code(1);
    let records = outcome.lines();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["datums"]["failed"], 4);
    assert_eq!(records[0]["first"]["estimate"]["failed"]["expected"], 40.0);
    for wrong in [
        &["--first", "2"] as &[_],
        &["--first", "1001"],
        &["--first-only"],
    ] {
        halted(&workspace, &fails, wrong).code(2);
    }
}
