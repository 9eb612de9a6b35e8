//! Workers come and go with the work.

use drover_tests::{Spec, eventually};
use serde_json::json;

use crate::harness::OperatorHarness;

#[test]
fn a_standby_pipeline_wakes_with_a_job_and_rests_once_it_is_done() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    let _service = harness.drover.serve();
    harness.apply(
        "made",
        &json!({ "parallelism_spec": { "constant": 2 }, "standby_after": "3s" }),
    );
    harness.says("made", "Ready", "Standby");
    assert_eq!(harness.wanted("made"), Some(0));
    harness.drover.workspace.numbered_files("in", 3);
    let job = harness
        .drover
        .publish(&Spec::new("made").reads("in", "/*").sh("true"));
    harness.wants("made", 2);
    // In place of the pods.
    let _worker = harness.drover.worker("made");
    assert_eq!(harness.drover.wait(&job).state(), "success");
    harness.wants("made", 0);
    // The status comes a moment after the Deployment.
    eventually("the last job is told", || {
        harness.status("made")["lastJob"]["state"] == "success"
    });
}

#[test]
fn the_number_of_workers_follows_the_outstanding_datums() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    let _service = harness.drover.serve();
    harness.apply(
        "made",
        &json!({ "parallelism_spec": { "constant": 4 }, "autoscaling": true }),
    );
    harness.wants("made", 1);
    harness.drover.workspace.numbered_files("in", 30);
    let job = harness
        .drover
        .publish(&Spec::new("made").reads("in", "/*").sh("true"));
    harness.wants("made", 4);
    let _worker = harness.drover.worker("made");
    assert_eq!(harness.drover.wait(&job).state(), "success");
    harness.wants("made", 1);
}

#[test]
fn before_workers_go_all_are_marked_with_what_their_removal_costs() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    let pods = || harness.cluster.list("pods", "drover.dev/pipeline=made");
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 3 } }));
    eventually("there are three pods", || pods().len() == 3);
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    eventually("a marked one is left", || {
        let costs: Vec<_> = pods()
            .iter()
            .map(|pod| {
                pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"].clone()
            })
            .collect();
        // The pod runs nowhere, so the pod cannot tell its utilization.
        costs == ["100"]
    });
}

#[test]
fn a_pipeline_is_scaled_by_hand_paused_and_given_back() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    harness.apply("made", &json!({ "parallelism_spec": { "coefficient": 1 } }));
    harness.says("made", "Accepted", "Accepted");
    harness.cluster.scale("made", 3);
    harness.wants("made", 3);
    harness.cluster.scale("made", 0);
    harness.wants("made", 0);
    harness.says("made", "Ready", "Paused");
    let selector = harness.status("made")["selector"].clone();
    let expected = "app.kubernetes.io/name=drover-worker,drover.dev/pipeline=made";
    assert_eq!(selector, expected);
    let back = json!({ "spec": { "replicas": null, "parallelism_spec": { "coefficient": null, "constant": 2 } } });
    harness.cluster.merge("pipeline", "made", &back);
    harness.wants("made", 2);
}
