//! Workers come and go with the work.

use drover_tests::{Spec, eventually};
use serde_json::json;

use crate::farm::Farm;

#[test]
fn a_standby_pipeline_wakes_with_a_job_and_rests_once_it_is_done() {
    let Some(farm) = Farm::reach() else { return };
    let _operator = farm.operator();
    let _service = farm.herd.serve();
    farm.apply(
        "made",
        &json!({ "parallelism_spec": { "constant": 2 }, "standby_after": "3s" }),
    );
    farm.says("made", "Ready", "Standby");
    assert_eq!(farm.wanted("made"), Some(0));
    farm.herd.place.numbered_files("in", 3);
    let job = farm
        .herd
        .publish(&Spec::new("made").reads("in", "/*").sh("true"));
    farm.wants("made", 2);
    // In place of the pods.
    let _worker = farm.herd.worker("made");
    assert_eq!(farm.herd.wait(&job).state(), "success");
    farm.wants("made", 0);
    // The status comes a moment after the Deployment.
    eventually("the last job is told", || {
        farm.status("made")["lastJob"]["state"] == "success"
    });
}

#[test]
fn the_number_of_workers_follows_the_outstanding_datums() {
    let Some(farm) = Farm::reach() else { return };
    let _operator = farm.operator();
    let _service = farm.herd.serve();
    farm.apply(
        "made",
        &json!({ "parallelism_spec": { "constant": 4 }, "autoscaling": true }),
    );
    farm.wants("made", 1);
    farm.herd.place.numbered_files("in", 30);
    let job = farm
        .herd
        .publish(&Spec::new("made").reads("in", "/*").sh("true"));
    farm.wants("made", 4);
    let _worker = farm.herd.worker("made");
    assert_eq!(farm.herd.wait(&job).state(), "success");
    farm.wants("made", 1);
}

#[test]
fn before_workers_go_all_are_marked_with_what_their_removal_costs() {
    let Some(farm) = Farm::reach() else { return };
    let _operator = farm.operator();
    let pods = || farm.cluster.list("pods", "drover.dev/pipeline=made");
    farm.apply("made", &json!({ "parallelism_spec": { "constant": 3 } }));
    eventually("there are three pods", || pods().len() == 3);
    farm.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    eventually("a marked one is left", || {
        let costs: Vec<_> = pods()
            .iter()
            .map(|pod| {
                pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"].clone()
            })
            .collect();
        // It runs nowhere, so it can't say whether it is busy.
        costs == ["100"]
    });
}
