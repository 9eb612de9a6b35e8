//! Messages that the broker loses, or is told to forget: the job ends all the same, and each command runs once.

use std::thread::sleep;
use std::time::Duration;

use drover_tests::{Rabbit, Signal, TestCluster, eventually};

use crate::guarantees::{assert_guarantees, gated_spec, gated_spec_except_first};

/// More datums than the worker holds.
const COUNT: usize = 40;

const DATUMS: &str = "drover.made.datums";

/// Runs a job whose first datums wait while `fault` befalls the queue; each datum must run once.
fn survives(fault: impl FnOnce(&Rabbit)) {
    let rabbit = Rabbit::start();
    let cluster = TestCluster::at(rabbit.first_vhost());
    cluster.workspace.numbered_files("in", COUNT);
    let _service = cluster.serve();
    let _worker = cluster.worker("made");
    let id = cluster.publish(&gated_spec());
    cluster.wait_for_lines("runs", 2);
    fault(&rabbit);
    cluster.workspace.open_gate("gate");
    assert_guarantees(&cluster, &id, COUNT);
    assert_each_ran_once(&cluster);
}

#[track_caller]
fn assert_each_ran_once(cluster: &TestCluster) {
    let runs = cluster.workspace.tally("runs");
    let twice: Vec<_> = runs.iter().filter(|(_, runs)| **runs != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(runs.len(), COUNT);
}

#[test]
fn a_queue_purged_by_hand_is_filled_again() {
    survives(|rabbit| {
        rabbit.ctl(&["purge_queue", DATUMS]);
    });
}

#[test]
fn a_queue_deleted_by_hand_is_made_and_filled_again() {
    survives(|rabbit| {
        rabbit.ctl(&["delete_queue", DATUMS]);
    });
}

#[test]
fn messages_that_a_policy_lets_expire_are_published_again_and_fail_no_datum() {
    survives(|rabbit| {
        set_policy(rabbit, r#"{"message-ttl":200}"#);
        eventually("the messages have expired", || ready(rabbit, DATUMS) == 0);
        rabbit.ctl(&["clear_policy", "test"]);
    });
}

#[test]
fn a_queue_that_was_full_for_a_while_takes_messages_again() {
    let rabbit = Rabbit::start();
    let cluster = TestCluster::at(rabbit.first_vhost());
    cluster.workspace.numbered_files("in", COUNT);
    let _service = cluster.serve();
    let _worker = cluster.worker("made");
    set_policy(&rabbit, r#"{"max-length":1}"#);
    let id = cluster.publish(&gated_spec());
    cluster.wait_for_lines("runs", 2);
    sleep(Duration::from_secs(3));
    rabbit.ctl(&["clear_policy", "test"]);
    cluster.workspace.open_gate("gate");
    assert_guarantees(&cluster, &id, COUNT);
    assert_each_ran_once(&cluster);
}

#[test]
fn a_queue_without_workers_that_expired_is_made_and_filled_again() {
    let rabbit = Rabbit::start();
    let cluster = TestCluster::at(rabbit.first_vhost());
    cluster.workspace.numbered_files("in", COUNT);
    let _service = cluster.serve();
    cluster.workspace.open_gate("gate");
    let id = cluster.publish(&gated_spec());
    eventually("the datums are queued", || ready(&rabbit, DATUMS) == COUNT);
    set_policy(&rabbit, r#"{"expires":100}"#);
    eventually("the queue has expired", || ready(&rabbit, DATUMS) == 0);
    rabbit.ctl(&["clear_policy", "test"]);
    let _worker = cluster.worker("made");
    assert_guarantees(&cluster, &id, COUNT);
    assert_each_ran_once(&cluster);
}

#[test]
fn a_restarted_service_does_not_run_again_what_workers_hold() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", COUNT);
    let mut service = cluster.serve();
    let _workers = [cluster.worker("made"), cluster.worker("made")];
    let id = cluster.publish(&gated_spec_except_first());
    cluster.wait_for_lines("runs", 5);
    for _ in 0..3 {
        let before = epoch(&cluster);
        service.signal(Signal::SIGTERM);
        service.finish();
        service = cluster.serve();
        eventually("it leads", || epoch(&cluster) > before);
        // Idle slots would take what is published again.
        sleep(Duration::from_secs(1));
    }
    cluster.workspace.open_gate("gate");
    assert_guarantees(&cluster, &id, COUNT);
    assert_each_ran_once(&cluster);
}

/// The latest epoch of the pipeline's leaders.
fn epoch(cluster: &TestCluster) -> Option<String> {
    let folder = cluster.workspace.path(".drover/pipelines/made/epochs");
    let epochs = std::fs::read_dir(folder).into_iter().flatten().flatten();
    epochs
        .map(|epoch| epoch.file_name().to_string_lossy().into_owned())
        .max()
}

fn set_policy(rabbit: &Rabbit, definition: &str) {
    rabbit.ctl(&[
        "set_policy",
        "--apply-to",
        "queues",
        "test",
        r"^drover\.made\.datums$",
        definition,
    ]);
}

/// Ready messages of a queue; none of one that does not exist.
fn ready(rabbit: &Rabbit, queue: &str) -> usize {
    let listed = rabbit.ctl(&["list_queues", "--quiet", "name", "messages_ready"]);
    let mut queues = listed.lines().filter_map(|line| line.split_once('\t'));
    let found = queues.find(|(name, _)| *name == queue);
    found
        .and_then(|(_, ready)| ready.trim().parse().ok())
        .unwrap_or(0)
}
