//! Registered pipelines: new, changed and deleted files start jobs for exactly the difference, whatever happens to the
//! service meanwhile.

use std::process::Command;

use drover_tests::{Job, Running, Spec, Workspace, eventually};
use nix::sys::signal::Signal;

/// A service with no broker, which does not wait long for files to settle.
fn serve(workspace: &Workspace) -> Running {
    workspace.start(&["serve", "--settle", "200ms", "--look-every", "5s"])
}

/// Makes the pipelines stand.
#[track_caller]
fn create(workspace: &Workspace, specs: &[&Spec]) {
    for spec in specs {
        let spec = workspace.spec(spec);
        workspace.call(&["create", "pipeline", "-f", &spec]).code(0);
    }
}

/// Tells which datum runs, and copies its file.
fn copy() -> Spec {
    Spec::new("copy")
        .reads("in", "/*")
        .sh(r#"basename "$in" >> "$OUTSIDE/runs"; cp "$in" /pfs/out/"#)
}

/// All jobs, newest first.
fn jobs(workspace: &Workspace, pipeline: &str) -> Vec<Job> {
    let jobs = workspace.call(&["jobs", "--pipeline", pipeline, "--output", "json"]);
    jobs.code(0).lines().into_iter().map(Job).collect()
}

/// Waits until all jobs of a pipeline have ended and the output folder holds these files; the jobs, newest first.
#[track_caller]
fn settles(workspace: &Workspace, pipeline: &str, files: &[&str]) -> Vec<Job> {
    let mut all = Vec::new();
    eventually(&format!("{pipeline} holds {files:?}"), || {
        all = jobs(workspace, pipeline);
        let holds = workspace.path(pipeline).is_dir() && workspace.tree(pipeline).paths() == files;
        holds && all.iter().all(Job::has_ended)
    });
    all
}

fn processed(jobs: &[Job]) -> u64 {
    jobs.iter().map(|job| job.count("processed")).sum()
}

#[test]
fn new_changed_and_deleted_files_start_jobs_for_the_difference() {
    let workspace = Workspace::new();
    let _service = serve(&workspace);
    create(&workspace, &[&copy()]);
    workspace.numbered_files("in", 3);
    settles(&workspace, "copy", &["000", "001", "002"]);
    workspace.file("in/more", "m");
    settles(&workspace, "copy", &["000", "001", "002", "more"]);
    workspace.remove("in/001");
    let jobs = settles(&workspace, "copy", &["000", "002", "more"]);
    assert_eq!(jobs[0].counts(), "3: 3 skipped");
    workspace.file("in/more", "changed");
    eventually("the change is brought out", || {
        std::fs::read(workspace.path("copy/more")).is_ok_and(|bytes| bytes == b"changed")
    });
    let runs = workspace.tally("runs");
    assert_eq!((runs["000"], runs["002"], runs["more"]), (1, 1, 2));
}

#[test]
fn a_burst_of_files_and_one_that_grows_are_one_job() {
    let workspace = Workspace::new();
    let _service = workspace.start(&["serve", "--settle", "2s"]);
    create(&workspace, &[&copy()]);
    workspace.numbered_files("in", 100);
    let grow = "for n in 1 2 3 4 5 6 7 8 9; do echo $n >> in/grows; sleep 0.1; done";
    let grown = Command::new("sh")
        .args(["-c", grow])
        .current_dir(workspace.store())
        .status();
    assert!(grown.unwrap().success());
    eventually("the file has come through", || {
        workspace.path("copy/grows").exists()
    });
    assert_eq!(jobs(&workspace, "copy").len(), 1);
    let whole = std::fs::read_to_string(workspace.path("copy/grows")).unwrap();
    assert_eq!(whole.lines().count(), 9, "it was taken half-written");
}

#[test]
fn a_chain_runs_through_unless_something_fails_upstream() {
    let workspace = Workspace::new();
    let map = Spec::new("map")
        .reads("in", "/*")
        .sh(r#"! grep -q bad "$in" && cp "$in" /pfs/out/"#);
    let reduce = Spec::new("reduce")
        .reads("map", "/")
        .sh("cat /pfs/map/* > /pfs/out/all");
    create(&workspace, &[&reduce, &map]);
    workspace.file("in/a", "bad\n");
    let _service = serve(&workspace);
    eventually("map failed", || {
        jobs(&workspace, "map")
            .first()
            .is_some_and(|job| job.state() == "failure")
    });
    workspace.file("in/a", "good\n");
    settles(&workspace, "reduce", &["all"]);
    assert_eq!(
        jobs(&workspace, "reduce").len(),
        1,
        "the failed job started it"
    );
    let told = workspace.call(&["pipelines", "--graph"]).code(0);
    assert_eq!(told.stdout, "in\n└─▶ map\n    └─▶ reduce\n");
}

#[test]
fn another_spec_a_pause_and_an_end_take_effect() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 2);
    create(&workspace, &[&copy()]);
    let _service = serve(&workspace);
    settles(&workspace, "copy", &["000", "001"]);
    let other = workspace.spec(&copy().sh(r#"cp "$in" /pfs/out/new-"$(basename "$in")""#));
    workspace
        .call(&["update", "pipeline", "-f", &other])
        .code(0);
    settles(&workspace, "copy", &["new-000", "new-001"]);
    workspace.call(&["pause", "pipeline", "copy"]).code(0);
    workspace.file("in/002", "2");
    let listed = workspace.call(&["pipelines", "--output", "json"]).code(0);
    assert_eq!(listed.lines()[0]["state"], "paused");
    let before = jobs(&workspace, "copy").len();
    workspace.call(&["resume", "pipeline", "copy"]).code(0);
    let after = settles(&workspace, "copy", &["new-000", "new-001", "new-002"]);
    assert_eq!(after.len(), before + 1);
    workspace.call(&["delete", "pipeline", "copy"]).code(0);
    workspace
        .call(&["pause", "pipeline", "copy"])
        .code(2)
        .says(&["drover create pipeline"]);
    assert_eq!(
        workspace
            .call(&["pipelines", "--output", "json"])
            .code(0)
            .stdout,
        ""
    );
    assert!(
        workspace.path("copy/new-002").exists(),
        "its output is gone"
    );
}

#[test]
fn a_pipeline_that_is_deleted_stops_its_job() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1);
    let waits = copy().sh(r#"echo runs >> "$OUTSIDE/runs"; sleep 600"#);
    create(&workspace, &[&waits]);
    let _service = serve(&workspace);
    eventually("the command runs", || workspace.line_count("runs") > 0);
    workspace.call(&["delete", "pipeline", "copy"]).code(0);
    eventually("the job was stopped", || {
        jobs(&workspace, "copy")[0].state() == "killed"
    });
}

#[test]
fn a_clock_starts_jobs() {
    let workspace = Workspace::new();
    let mut spec = Spec::new("report").sh("ls /pfs/tick > /pfs/out/now");
    spec.0["input"] =
        serde_json::json!({"cron": {"name": "tick", "spec": "@every 1s", "overwrite": true}});
    create(&workspace, &[&spec]);
    let refused = workspace.call(&["run", &workspace.spec(&spec)]).code(2);
    refused.says(&["drover create pipeline"]);
    let _service = serve(&workspace);
    eventually("it ticked twice", || jobs(&workspace, "report").len() >= 2);
    assert!(
        jobs(&workspace, "report")
            .iter()
            .all(|job| job.count("total") <= 1)
    );
    assert_eq!(
        workspace.tree("report_tick").paths().len(),
        1,
        "a tick replaces the last one"
    );
}

#[test]
fn what_was_killed_in_the_middle_goes_on_and_repeats_nothing_that_was_done() {
    let workspace = Workspace::new();
    create(&workspace, &[&copy()]);
    for round in 0..4 {
        let service = serve(&workspace);
        workspace.file(&format!("in/{round}"), "x");
        let is_time = || match round {
            0 => true,
            1 => !jobs(&workspace, "copy").is_empty(),
            2 => workspace.line_count("runs") > 1,
            _ => workspace.path("copy/3").exists(),
        };
        eventually("it is time to kill the service", is_time);
        service.kill();
    }
    let mut service = serve(&workspace);
    let jobs = settles(&workspace, "copy", &["0", "1", "2", "3"]);
    assert_eq!(processed(&jobs), 4);
    assert!(jobs.iter().all(|job| job.state() == "success"), "{jobs:?}");
    service.signal(Signal::SIGTERM);
    service.finish().code(0);
}

#[test]
fn two_services_without_a_broker_start_one_job() {
    let workspace = Workspace::new();
    create(&workspace, &[&copy()]);
    let patient = || workspace.start(&["serve", "--settle", "1s"]);
    let _services = [patient(), patient()];
    workspace.numbered_files("in", 3);
    settles(&workspace, "copy", &["000", "001", "002"]);
    workspace.file("in/more", "m");
    let jobs = settles(&workspace, "copy", &["000", "001", "002", "more"]);
    assert_eq!(processed(&jobs), 4);
    assert_eq!(jobs.len(), 2);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let workspace = Workspace::new();
    create(&workspace, &[&Spec::new("a").reads("b", "/*").sh("true")]);
    let circle = workspace.spec(&Spec::new("b").reads("a", "/*").sh("true"));
    let refused = workspace
        .call(&["create", "pipeline", "-f", &circle])
        .code(2);
    refused.says(&["in a circle: b, a"]);
    let again = workspace.spec(&Spec::new("a").reads("c", "/*").sh("true"));
    let refused = workspace
        .call(&["create", "pipeline", "-f", &again])
        .code(2);
    refused.says(&["drover update pipeline"]);
    let none = workspace
        .call(&["update", "pipeline", "-f", &circle])
        .code(2);
    none.says(&["circle"]);
}

#[test]
fn a_standing_pipeline_that_starts_nothing_is_explained() {
    let workspace = Workspace::new();
    let reader = Spec::new("total").reads("copy", "/").sh("true");
    for spec in [&copy(), &reader] {
        let spec = workspace.spec(spec);
        workspace.call(&["create", "pipeline", "-f", &spec]).code(0);
    }
    let explained = |name: &str| workspace.call(&["explain", name]).code(0).stdout;
    let copy = explained("copy");
    assert!(copy.contains("no `drover serve` runs"), "{copy}");
    let total = explained("total");
    assert!(
        total.contains("the output of copy, which has had no job yet"),
        "{total}"
    );
    workspace.call(&["pause", "pipeline", "copy"]).code(0);
    let (copy, total) = (explained("copy"), explained("total"));
    assert!(copy.contains("is paused"), "{copy}");
    assert!(
        total.contains("the output of copy, which is paused"),
        "{total}"
    );
}
