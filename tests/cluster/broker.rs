//! The broker goes away in the middle of a job, in good order or not, and comes back.

use drover_tests::{Rabbit, TestCluster};

use crate::guarantees::{assert_guarantees, recording_spec};

/// Message of a coordinator when the broker does not redeliver a held message.
const EMPTY: &str = "came back without the messages";

#[test]
fn a_broker_restarted_in_the_middle_of_a_job_loses_nothing() {
    let said = survives(Rabbit::restart);
    assert!(!said.contains(EMPTY), "{said}");
}

#[test]
fn a_broker_killed_in_the_middle_of_a_job_loses_nothing() {
    let said = survives(|rabbit| {
        rabbit.kill();
        rabbit.start_again();
    });
    assert!(!said.contains(EMPTY), "{said}");
}

#[test]
fn a_broker_that_comes_back_with_nothing_is_told_anew_what_is_left_to_do() {
    survives(|rabbit| {
        rabbit.lose_everything();
        rabbit.start_again();
    });
}

/// Strikes in the middle of a job, which must not suffer; returns what the service says of it.
fn survives(fault: fn(&Rabbit)) -> String {
    let rabbit = Rabbit::start();
    let cluster = TestCluster::at(rabbit.first_vhost());
    cluster.workspace.numbered_files("in", 150);
    let mut service = cluster.serve();
    let mut workers = [cluster.worker("made"), cluster.worker("made")];
    rabbit.remembers("made");
    let id = cluster.publish(&recording_spec());
    cluster.wait_for_lines("runs", 30);
    fault(&rabbit);
    assert_guarantees(&cluster, &id, 150);
    assert!(!service.has_ended(), "{}", service.stderr());
    for worker in &mut workers {
        assert!(!worker.has_ended(), "{}", worker.stderr());
    }
    // A waiting candidate takes up the next job.
    cluster.workspace.numbered_files("in", 151);
    let next = cluster.wait(&cluster.publish(&recording_spec()));
    assert_eq!(next.counts(), "151: 1 processed, 150 skipped");
    service.stderr()
}
