//! The example script publishes jobs, and reacts to what becomes of them.

use std::path::PathBuf;
use std::process::Command;

use drover_tests::{Herd, Outcome, Tree, drover, repository};

fn example() -> PathBuf {
    repository().join("examples").join("publish-jobs")
}

/// A herd whose store is the example.
fn herd() -> Herd {
    let herd = Herd::new();
    herd.place.copy_of(&example());
    herd
}

/// Runs the script for all regions to its end.
#[track_caller]
fn script(herd: &Herd) -> Outcome {
    let mut script = Command::new(herd.place.path("publish-jobs"));
    script
        .args(["north", "south", "west"])
        .env("DROVER", drover())
        .env("DROVER_STORE", herd.place.store())
        .env("DROVER_BROKER", herd.url())
        .env_remove("DROVER_OUTPUT");
    herd.place.start_command(script).finish()
}

/// What the script said of each region, without the id of its job.
fn fates(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stdout.lines().map(|line| line.split(' '));
    lines
        .map(|words| {
            let told = words.enumerate().filter(|(place, _)| *place != 1);
            told.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn a_script_publishes_jobs_and_sees_them_home() {
    let herd = herd();
    let _service = herd.serve();
    let _worker = herd.worker("sales-north,sales-south,sales-west");
    let outcome = script(&herd).code(0);
    let expected = ["north", "south", "west"].map(|region| format!("{region} success 2 0"));
    assert_eq!(fates(&outcome), expected, "{}", outcome.told());
    for region in ["north", "south", "west"] {
        let pipeline = format!("sales-{region}");
        let expected = Tree::read(&example().join("expected").join(&pipeline));
        assert_eq!(
            herd.place.tree(&pipeline),
            expected,
            "the output of {pipeline} differs"
        );
    }
}

#[test]
fn a_script_tells_which_job_failed_and_why() {
    let herd = herd();
    herd.place.file("west/2026-11-02/till-1.csv", "apples\n");
    let _service = herd.serve();
    let _worker = herd.worker("sales-north,sales-south,sales-west");
    let outcome = script(&herd).code(1);
    let expected = ["north success 2 0", "south success 2 0", "west failure 1 0"];
    assert_eq!(fates(&outcome), expected, "{}", outcome.told());
    outcome.says(&["datum 1: exit 1", "till-1.csv:1:apples"]);
}
