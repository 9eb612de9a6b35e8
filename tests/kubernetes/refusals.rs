//! Refusals of the API server itself, and the reports of the operator.

use serde_json::{Value, json};

use crate::harness::{OperatorHarness, resource};

#[test]
fn specs_that_make_no_sense_are_refused_at_once() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let pfs = json!({ "repo": "in", "glob": "/*" });
    let two_kinds = json!({ "pfs": pfs, "cron": { "name": "c", "spec": "@daily" } });
    let rows: [(Value, &str); 11] = [
        (json!({ "input": {} }), "the input is empty"),
        (json!({ "input": two_kinds }), "the input has two kinds"),
        (json!({ "replicas": -1 }), "replicas"),
        (json!({ "transform": { "cmd": [] } }), "cmd"),
        (json!({ "transform": {} }), "cmd"),
        (
            json!({ "parallelism_spec": { "constant": 1, "coefficient": 1.5 } }),
            "contradicts",
        ),
        (
            json!({ "standby": false, "standby_after": "5m" }),
            "contradicts",
        ),
        (
            json!({ "tolerations": [{ "value": "x" }] }),
            "name the taint",
        ),
        (
            json!({ "transform": { "cmd": ["x"], "secrets": [{ "name": "x" }] } }),
            "not put anywhere",
        ),
        (json!({ "datum_timeout": "soon" }), "datum_timeout"),
        (json!({ "datum_trise": 3 }), "datum_trise"),
    ];
    for (fields, word) in rows {
        let refusal = harness.cluster.refusal(&resource("made", &fields));
        assert!(refusal.contains(word), "{fields}: {refusal}");
    }
    let long = "a".repeat(51);
    assert!(
        harness
            .cluster
            .refusal(&resource(&long, &json!({})))
            .contains("50 characters")
    );
}

#[test]
fn the_name_of_a_pipeline_cannot_change() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    harness.apply("made", &json!({ "pipeline": { "name": "One" } }));
    let refusal = harness
        .cluster
        .refusal(&resource("made", &json!({ "pipeline": { "name": "Two" } })));
    assert!(refusal.contains("can't change"), "{refusal}");
}

#[test]
fn what_only_the_operator_can_tell_is_told_as_a_condition() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    harness.apply(
        "made",
        &json!({ "input": { "pfs": { "repo": "in", "glob": "/*(" } } }),
    );
    harness.says("made", "Accepted", "InvalidSpec");
}

#[test]
fn an_image_that_cannot_be_pulled_is_told_in_words() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    harness.apply("made", &json!({ "parallelism_spec": { "constant": 1 } }));
    let mut name = String::new();
    drover_tests::eventually("there is a pod", || {
        let pods = harness.cluster.list("pods", "drover.dev/pipeline=made");
        let first = pods
            .first()
            .and_then(|pod| pod["metadata"]["name"].as_str());
        name = first.unwrap_or_default().to_owned();
        !name.is_empty()
    });
    // In place of a kubelet.
    harness.cluster.set_status("pod", &name, &json!({ "containerStatuses": [{
        "name": "worker", "image": "example.invalid/nothing:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image" } },
    }] }));
    harness.says("made", "Ready", "ImagePullFailed");
}

#[test]
fn objects_that_the_api_server_does_not_take_are_told() {
    let Some(harness) = OperatorHarness::reach() else {
        return;
    };
    let _operator = harness.operator();
    let base = json!({ "image": "example.invalid/nothing:1", "cmd": ["true"] });
    let mut twice = base.clone();
    twice["secrets"] =
        json!([{ "name": "one", "mount_path": "/key" }, { "name": "other", "mount_path": "/key" }]);
    harness.apply("twice", &json!({ "transform": twice }));
    harness.says("twice", "Ready", "ObjectsRefused");
    let patch = r#"[{"op": "add", "path": "/restartPolicy", "value": "Never"}]"#;
    harness.apply("patched", &json!({ "pod_patch": patch }));
    harness.says("patched", "Ready", "ObjectsRefused");
    harness.apply(
        "twice",
        &json!({ "transform": base, "parallelism_spec": { "constant": 1 } }),
    );
    harness.wants("twice", 1);
}
