//! Registered pipelines: new, changed and deleted files start jobs for exactly the difference, whatever happens to the
//! service meanwhile.

use std::process::Command;

use drover_tests::{Job, Running, Spec, Workspace, eventually};
use nix::sys::signal::Signal;

/// A service with no broker, which does not wait long for files to settle.
fn serve(place: &Workspace) -> Running {
    place.start(&["serve", "--settle", "200ms", "--look-every", "5s"])
}

/// Makes the pipelines stand.
#[track_caller]
fn create(place: &Workspace, specs: &[&Spec]) {
    for spec in specs {
        let spec = place.spec(spec);
        place.call(&["create", "pipeline", "-f", &spec]).code(0);
    }
}

/// Tells which datum runs, and copies its file.
fn copy() -> Spec {
    Spec::new("copy")
        .reads("in", "/*")
        .sh(r#"basename "$in" >> "$OUTSIDE/runs"; cp "$in" /pfs/out/"#)
}

/// All jobs, newest first.
fn jobs(place: &Workspace, pipeline: &str) -> Vec<Job> {
    let jobs = place.call(&["jobs", "--pipeline", pipeline, "--output", "json"]);
    jobs.code(0).lines().into_iter().map(Job).collect()
}

/// Waits until all jobs of a pipeline have ended and the output folder holds these files; the jobs, newest first.
#[track_caller]
fn settles(place: &Workspace, pipeline: &str, files: &[&str]) -> Vec<Job> {
    let mut all = Vec::new();
    eventually(&format!("{pipeline} holds {files:?}"), || {
        all = jobs(place, pipeline);
        let holds = place.path(pipeline).is_dir() && place.tree(pipeline).paths() == files;
        holds && all.iter().all(Job::has_ended)
    });
    all
}

fn processed(jobs: &[Job]) -> u64 {
    jobs.iter().map(|job| job.count("processed")).sum()
}

#[test]
fn new_changed_and_deleted_files_start_jobs_for_the_difference() {
    let place = Workspace::new();
    let _service = serve(&place);
    create(&place, &[&copy()]);
    place.numbered_files("in", 3);
    settles(&place, "copy", &["000", "001", "002"]);
    place.file("in/more", "m");
    settles(&place, "copy", &["000", "001", "002", "more"]);
    place.remove("in/001");
    let jobs = settles(&place, "copy", &["000", "002", "more"]);
    assert_eq!(jobs[0].counts(), "3: 3 skipped");
    place.file("in/more", "changed");
    eventually("the change is brought out", || {
        std::fs::read(place.path("copy/more")).is_ok_and(|bytes| bytes == b"changed")
    });
    let runs = place.tally("runs");
    assert_eq!((runs["000"], runs["002"], runs["more"]), (1, 1, 2));
}

#[test]
fn a_burst_of_files_and_one_that_grows_are_one_job() {
    let place = Workspace::new();
    let _service = place.start(&["serve", "--settle", "2s"]);
    create(&place, &[&copy()]);
    place.numbered_files("in", 100);
    let grow = "for n in 1 2 3 4 5 6 7 8 9; do echo $n >> in/grows; sleep 0.1; done";
    let grown = Command::new("sh")
        .args(["-c", grow])
        .current_dir(place.store())
        .status();
    assert!(grown.unwrap().success());
    eventually("the file has come through", || {
        place.path("copy/grows").exists()
    });
    assert_eq!(jobs(&place, "copy").len(), 1);
    let whole = std::fs::read_to_string(place.path("copy/grows")).unwrap();
    assert_eq!(whole.lines().count(), 9, "it was taken half-written");
}

#[test]
fn a_chain_runs_through_unless_something_fails_upstream() {
    let place = Workspace::new();
    let map = Spec::new("map")
        .reads("in", "/*")
        .sh(r#"! grep -q bad "$in" && cp "$in" /pfs/out/"#);
    let reduce = Spec::new("reduce")
        .reads("map", "/")
        .sh("cat /pfs/map/* > /pfs/out/all");
    create(&place, &[&reduce, &map]);
    place.file("in/a", "bad\n");
    let _service = serve(&place);
    eventually("map failed", || {
        jobs(&place, "map")
            .first()
            .is_some_and(|job| job.state() == "failure")
    });
    place.file("in/a", "good\n");
    settles(&place, "reduce", &["all"]);
    assert_eq!(jobs(&place, "reduce").len(), 1, "the failed job started it");
    let told = place.call(&["pipelines", "--graph"]).code(0);
    assert_eq!(told.stdout, "in\n└─▶ map\n    └─▶ reduce\n");
}

#[test]
fn another_spec_a_pause_and_an_end_are_heeded() {
    let place = Workspace::new();
    place.numbered_files("in", 2);
    create(&place, &[&copy()]);
    let _service = serve(&place);
    settles(&place, "copy", &["000", "001"]);
    let other = place.spec(&copy().sh(r#"cp "$in" /pfs/out/new-"$(basename "$in")""#));
    place.call(&["update", "pipeline", "-f", &other]).code(0);
    settles(&place, "copy", &["new-000", "new-001"]);
    place.call(&["pause", "pipeline", "copy"]).code(0);
    place.file("in/002", "2");
    let listed = place.call(&["pipelines", "--output", "json"]).code(0);
    assert_eq!(listed.lines()[0]["state"], "paused");
    let before = jobs(&place, "copy").len();
    place.call(&["resume", "pipeline", "copy"]).code(0);
    let after = settles(&place, "copy", &["new-000", "new-001", "new-002"]);
    assert_eq!(after.len(), before + 1);
    place.call(&["delete", "pipeline", "copy"]).code(0);
    place
        .call(&["pause", "pipeline", "copy"])
        .code(2)
        .says(&["drover create pipeline"]);
    assert_eq!(
        place
            .call(&["pipelines", "--output", "json"])
            .code(0)
            .stdout,
        ""
    );
    assert!(place.path("copy/new-002").exists(), "its output is gone");
}

#[test]
fn a_pipeline_that_is_deleted_stops_its_job() {
    let place = Workspace::new();
    place.numbered_files("in", 1);
    let waits = copy().sh(r#"echo runs >> "$OUTSIDE/runs"; sleep 600"#);
    create(&place, &[&waits]);
    let _service = serve(&place);
    eventually("the command runs", || place.told("runs") > 0);
    place.call(&["delete", "pipeline", "copy"]).code(0);
    eventually("the job was stopped", || {
        jobs(&place, "copy")[0].state() == "killed"
    });
}

#[test]
fn a_clock_starts_jobs() {
    let place = Workspace::new();
    let mut spec = Spec::new("report").sh("ls /pfs/tick > /pfs/out/now");
    spec.0["input"] =
        serde_json::json!({"cron": {"name": "tick", "spec": "@every 1s", "overwrite": true}});
    create(&place, &[&spec]);
    let refused = place.call(&["run", &place.spec(&spec)]).code(2);
    refused.says(&["drover create pipeline"]);
    let _service = serve(&place);
    eventually("it ticked twice", || jobs(&place, "report").len() >= 2);
    assert!(
        jobs(&place, "report")
            .iter()
            .all(|job| job.count("total") <= 1)
    );
    assert_eq!(
        place.tree("report_tick").paths().len(),
        1,
        "a tick replaces the last one"
    );
}

#[test]
fn what_was_killed_in_the_middle_goes_on_and_repeats_nothing_that_was_done() {
    let place = Workspace::new();
    create(&place, &[&copy()]);
    for round in 0..4 {
        let service = serve(&place);
        place.file(&format!("in/{round}"), "x");
        let is_time = || match round {
            0 => true,
            1 => !jobs(&place, "copy").is_empty(),
            2 => place.told("runs") > 1,
            _ => place.path("copy/3").exists(),
        };
        eventually("it is time to kill the service", is_time);
        service.kill();
    }
    let mut service = serve(&place);
    let jobs = settles(&place, "copy", &["0", "1", "2", "3"]);
    assert_eq!(processed(&jobs), 4);
    assert!(jobs.iter().all(|job| job.state() == "success"), "{jobs:?}");
    service.signal(Signal::SIGTERM);
    service.finish().code(0);
}

#[test]
fn two_services_without_a_broker_start_one_job() {
    let place = Workspace::new();
    create(&place, &[&copy()]);
    let patient = || place.start(&["serve", "--settle", "1s"]);
    let _services = [patient(), patient()];
    place.numbered_files("in", 3);
    settles(&place, "copy", &["000", "001", "002"]);
    place.file("in/more", "m");
    let jobs = settles(&place, "copy", &["000", "001", "002", "more"]);
    assert_eq!(processed(&jobs), 4);
    assert_eq!(jobs.len(), 2);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Workspace::new();
    create(&place, &[&Spec::new("a").reads("b", "/*").sh("true")]);
    let circle = place.spec(&Spec::new("b").reads("a", "/*").sh("true"));
    let refused = place.call(&["create", "pipeline", "-f", &circle]).code(2);
    refused.says(&["in a circle: b, a"]);
    let again = place.spec(&Spec::new("a").reads("c", "/*").sh("true"));
    let refused = place.call(&["create", "pipeline", "-f", &again]).code(2);
    refused.says(&["drover update pipeline"]);
    let none = place.call(&["update", "pipeline", "-f", &circle]).code(2);
    none.says(&["circle"]);
}

#[test]
fn a_standing_pipeline_that_starts_nothing_is_explained() {
    let place = Workspace::new();
    let reader = Spec::new("total").reads("copy", "/").sh("true");
    for spec in [&copy(), &reader] {
        let spec = place.spec(spec);
        place.call(&["create", "pipeline", "-f", &spec]).code(0);
    }
    let explained = |name: &str| place.call(&["explain", name]).code(0).stdout;
    let copy = explained("copy");
    assert!(copy.contains("no `drover serve` runs"), "{copy}");
    let total = explained("total");
    assert!(
        total.contains("the output of copy, which has had no job yet"),
        "{total}"
    );
    place.call(&["pause", "pipeline", "copy"]).code(0);
    let (copy, total) = (explained("copy"), explained("total"));
    assert!(copy.contains("is paused"), "{copy}");
    assert!(
        total.contains("the output of copy, which is paused"),
        "{total}"
    );
}
