//! A pipeline comes, changes and goes.

use drover_tests::{Spec, eventually};
use serde_json::json;

use crate::farm::Farm;

#[test]
fn a_pipeline_gets_its_objects_and_stands_in_the_store() {
    let Some(farm) = Farm::reach() else { return };
    let _operator = farm.operator();
    farm.apply("made", &json!({ "parallelism_spec": { "constant": 2 } }));
    farm.wants("made", 2);
    farm.says("made", "Accepted", "Accepted");
    farm.says("made", "Registered", "Registered");
    farm.says("made", "BrokerReachable", "Connected");
    for kind in ["configmap", "poddisruptionbudget"] {
        let owner =
            farm.cluster.get(kind, "drover-made")["metadata"]["ownerReferences"][0]["name"].clone();
        assert_eq!(owner, "made", "{kind}");
    }
    let resource = farm.cluster.get("pipeline", "made");
    assert_eq!(
        resource["status"]["observedGeneration"],
        resource["metadata"]["generation"]
    );
    assert_eq!(
        resource["spec"]["datum_tries"], 3,
        "the schema fills in defaults"
    );
    eventually("the API server has made the pods", || {
        farm.cluster.list("pods", "drover.dev/pipeline=made").len() == 2
    });
}

#[test]
fn a_new_spec_changes_the_pods_and_a_stranger_s_change_is_taken_back() {
    let Some(farm) = Farm::reach() else { return };
    let _operator = farm.operator();
    farm.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    farm.wants("made", 1);
    farm.apply(
        "made",
        &json!({ "parallelism_spec": { "constant": 3 }, "resource_requests": { "memory": "64M" } }),
    );
    farm.wants("made", 3);
    let pod = farm.cluster.get("deployment", "drover-made")["spec"]["template"]["spec"].clone();
    assert_eq!(
        pod["containers"][0]["resources"]["requests"]["memory"],
        "64M"
    );
    farm.cluster.merge(
        "deployment",
        "drover-made",
        &json!({ "spec": { "replicas": 17 } }),
    );
    farm.wants("made", 3);
}

#[test]
fn a_deleted_pipeline_takes_its_objects_and_its_jobs_with_it() {
    let Some(farm) = Farm::reach() else { return };
    let _operator = farm.operator();
    let _service = farm.herd.serve();
    farm.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    farm.wants("made", 1);
    farm.herd.place.numbered_files("in", 5);
    let job = farm
        .herd
        .publish(&Spec::new("made").reads("in", "/*").sh("true"));
    eventually("the job is seen", || {
        farm.status("made")["unfinishedJobs"] == 1
    });
    farm.cluster.delete("pipeline", "made");
    assert_eq!(farm.herd.wait(&job).state(), "killed");
    eventually("the pipeline is gone", || {
        farm.cluster.get("pipeline", "made").is_null()
    });
    eventually("its Deployment is collected", || {
        farm.cluster.get("deployment", "drover-made").is_null()
    });
}
