//! A pipeline comes, changes and goes.

use drover_tests::{Spec, eventually};
use serde_json::json;

use crate::harness::OperatorHarness;

#[test]
fn a_pipeline_gets_its_objects_and_stands_in_the_store() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 2 } }));
    harness.wants("made", 2);
    harness.says("made", "Accepted", "Accepted");
    harness.says("made", "Registered", "Registered");
    harness.says("made", "BrokerReachable", "Connected");
    for kind in ["configmap", "poddisruptionbudget"] {
        let owner =
            harness.cluster.get(kind, "drover-made")["metadata"]["ownerReferences"][0]["name"]
                .clone();
        assert_eq!(owner, "made", "{kind}");
    }
    let resource = harness.cluster.get("pipeline", "made");
    assert_eq!(
        resource["status"]["observedGeneration"],
        resource["metadata"]["generation"]
    );
    assert_eq!(
        resource["spec"]["datum_tries"], 3,
        "the schema fills in defaults"
    );
    eventually("the API server has made the pods", || {
        harness
            .cluster
            .list("pods", "drover.dev/pipeline=made")
            .len()
            == 2
    });
}

#[test]
fn a_new_spec_changes_the_pods_and_a_stranger_s_change_is_taken_back() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    harness.wants("made", 1);
    harness.apply(
        "made",
        &json!({ "parallelism_spec": { "constant": 3 }, "resource_requests": { "memory": "64M" } }),
    );
    harness.wants("made", 3);
    let pod = harness.cluster.get("deployment", "drover-made")["spec"]["template"]["spec"].clone();
    assert_eq!(
        pod["containers"][0]["resources"]["requests"]["memory"],
        "64M"
    );
    harness.cluster.merge(
        "deployment",
        "drover-made",
        &json!({ "spec": { "replicas": 17 } }),
    );
    harness.wants("made", 3);
}

#[test]
fn a_deleted_pipeline_takes_its_objects_and_its_jobs_with_it() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    let _service = harness.drover.serve();
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    harness.wants("made", 1);
    harness.drover.workspace.numbered_files("in", 5);
    let job = harness
        .drover
        .publish(&Spec::new("made").reads("in", "/*").sh("true"));
    eventually("the job is seen", || {
        harness.status("made")["unfinishedJobs"] == 1
    });
    harness.cluster.delete("pipeline", "made");
    assert_eq!(harness.drover.wait(&job).state(), "killed");
    eventually("the pipeline is gone", || {
        harness.cluster.get("pipeline", "made").is_null()
    });
    eventually("its Deployment is collected", || {
        harness.cluster.get("deployment", "drover-made").is_null()
    });
}

#[test]
fn a_pipeline_goes_though_no_operator_is_left_and_the_next_one_tells_the_store() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let operator = harness.operator();
    harness.apply("made", &json!({}));
    harness.says("made", "Registered", "Registered");
    operator.kill();
    harness.cluster.delete("pipeline", "made");
    eventually("the resource is gone", || {
        harness.cluster.get("pipeline", "made").is_null()
    });
    let registered = || {
        let listed = harness
            .drover
            .workspace
            .call(&["pipelines", "--output", "json"]);
        listed.code(0).lines().len()
    };
    assert_eq!(registered(), 1, "nobody told the store");
    let _operator = harness.operator();
    eventually("the next operator deletes the pipeline", || {
        registered() == 0
    });
}

#[test]
fn a_namespace_is_deleted_with_its_pipelines_while_the_rights_of_the_operator_go_too() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    for name in ["made", "other"] {
        harness.apply(name, &json!({}));
        harness.says(name, "Registered", "Registered");
    }
    harness.cluster.delete_namespace();
}
