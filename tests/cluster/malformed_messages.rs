//! Malformed messages on the queue of a running job.

use std::fs;

use drover_tests::{Rabbit, TestCluster, eventually, publish_as_stranger};

use crate::guarantees::{assert_guarantees, gated_spec};

/// Larger than any message of ours.
const TOO_MUCH: usize = 16 * 1024 * 1024 + 1;

#[test]
fn what_cannot_be_decoded_is_parked_with_its_reason_and_the_job_flows_on() {
    is_parked(&TestCluster::new(), b"not json", "cannot be decoded");
}

#[test]
fn a_message_of_an_unknown_version_is_parked_and_the_job_flows_on() {
    let message = br#"{"kind":"task","version":99,"job":"whatever"}"#;
    is_parked(&TestCluster::new(), message, "version 99 is unknown here");
}

#[test]
fn a_message_that_is_too_large_is_parked_and_the_job_flows_on() {
    // By default, RabbitMQ 4 refuses such a message itself; 3.10 takes eight times as much.
    let rabbit = Rabbit::configured("max_message_size = 33554432\n");
    let cluster = TestCluster::at(rabbit.vhost());
    is_parked(&cluster, &vec![b'x'; TOO_MUCH], "larger than the limit");
}

/// Few enough datums for the message behind them to be delivered while the datums run.
const FEW: usize = 4;

fn is_parked(cluster: &TestCluster, body: &[u8], reason: &str) {
    cluster.workspace.numbered_files("in", FEW);
    let _service = cluster.serve();
    let mut worker = cluster.worker("made");
    let id = cluster.publish(&gated_spec());
    cluster.wait_for_lines("runs", 2);
    publish_as_stranger(cluster.url(), "", "drover.made.datums", &[body]);
    let folder = cluster.workspace.path(".drover/pipelines/made/parked");
    let mut parked = Vec::new();
    eventually("it was parked", || {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        parked = entries.map(|entry| entry.path()).collect();
        parked.len() == 1
    });
    let kept = fs::read_to_string(&parked[0]).expect("what is parked can be read");
    assert!(kept.contains(reason), "{}", &kept[..kept.len().min(500)]);
    let told = cluster.call(&["explain", &id]).code(0).stdout;
    assert!(
        told.contains("1 message of made is dead-lettered") && told.contains(reason),
        "{told}"
    );
    cluster.workspace.open_gate("gate");
    assert_guarantees(cluster, &id, FEW);
    assert!(!worker.has_ended(), "{}", worker.stderr());
    assert_eq!(cluster.workspace.line_count("runs"), FEW);
}
