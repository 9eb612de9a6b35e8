//! The example script publishes jobs, and reacts to what becomes of them.

use std::path::PathBuf;
use std::process::Command;

use drover_tests::{Outcome, TestCluster, Tree, drover, repository};

fn example() -> PathBuf {
    repository().join("examples").join("publish-jobs")
}

/// A cluster whose store is the example.
fn cluster() -> TestCluster {
    let cluster = TestCluster::new();
    cluster.workspace.copy_of(&example());
    cluster
}

/// Runs the script for all regions to its end.
#[track_caller]
fn script(cluster: &TestCluster) -> Outcome {
    let mut script = Command::new(cluster.workspace.path("publish-jobs"));
    script
        .args(["north", "south", "west"])
        .env("DROVER", drover())
        .env("DROVER_STORE", cluster.workspace.store())
        .env("DROVER_BROKER", cluster.url())
        .env_remove("DROVER_OUTPUT");
    cluster.workspace.start_command(script).finish()
}

/// Output of the script for each region, without the ids of jobs.
fn fates(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stdout.lines().map(|line| line.split(' '));
    lines
        .map(|words| {
            let told = words.enumerate().filter(|(workspace, _)| *workspace != 1);
            told.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn a_script_publishes_jobs_and_sees_them_home() {
    let cluster = cluster();
    let _service = cluster.serve();
    let _worker = cluster.worker("sales-north,sales-south,sales-west");
    let outcome = script(&cluster).code(0);
    let expected = ["north", "south", "west"].map(|region| format!("{region} success 2 0"));
    assert_eq!(fates(&outcome), expected, "{}", outcome.transcript());
    for region in ["north", "south", "west"] {
        let pipeline = format!("sales-{region}");
        let expected = Tree::read(&example().join("expected").join(&pipeline));
        assert_eq!(
            cluster.workspace.tree(&pipeline),
            expected,
            "the output of {pipeline} differs"
        );
    }
}

#[test]
fn a_script_tells_which_job_failed_and_why() {
    let cluster = cluster();
    cluster
        .workspace
        .file("west/2026-11-02/till-1.csv", "apples\n");
    let _service = cluster.serve();
    let _worker = cluster.worker("sales-north,sales-south,sales-west");
    let outcome = script(&cluster).code(1);
    let expected = ["north success 2 0", "south success 2 0", "west failure 1 0"];
    assert_eq!(fates(&outcome), expected, "{}", outcome.transcript());
    outcome.says(&["datum 1: exit 1", "till-1.csv:1:apples"]);
}
