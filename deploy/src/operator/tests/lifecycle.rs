//! Creation and change of a pipeline.

use serde_json::json;

use crate::testing::Harness;

#[tokio::test]
async fn a_new_pipeline_is_handed_over_and_gets_its_objects() {
    let harness = Harness::new();
    harness.apply("thumbs", json!({ "parallelism_spec": { "constant": 3 } }));
    harness.look("thumbs").await.unwrap();
    insta::assert_snapshot!(harness.requests(true), @r#"
    get deployments/drover-thumbs
    list pods
    apply configmaps/drover-thumbs
    apply poddisruptionbudgets/drover-thumbs
    apply deployments/drover-thumbs
    apply pipelines/thumbs/status
    create events: "Normal" "ScaledOut"
    "#);
    assert_eq!(harness.replicas(), Some(3));
    let store = harness.job_store.0.lock().unwrap();
    let spec = &store.registered[&"thumbs".parse().unwrap()];
    assert_eq!(spec["pipeline"]["name"], "thumbs");
}

#[tokio::test]
async fn looking_again_changes_nothing() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    let versions = |harness: &Harness| {
        harness
            .cluster
            .object("deployments", "drover-thumbs")
            .unwrap()["metadata"]["resourceVersion"]
            .clone()
    };
    let before = versions(&harness);
    harness.look("thumbs").await.unwrap();
    insta::assert_snapshot!(harness.requests(false), @r"
    apply configmaps/drover-thumbs
    apply poddisruptionbudgets/drover-thumbs
    apply deployments/drover-thumbs
    ");
    assert_eq!(
        versions(&harness),
        before,
        "what is so already stays untouched"
    );
}

#[tokio::test]
async fn a_new_spec_reaches_store_and_pods_and_keeps_the_selector() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    let before = harness
        .cluster
        .object("deployments", "drover-thumbs")
        .unwrap();
    harness.apply(
        "thumbs",
        json!({ "transform": { "image": "convert:2" }, "parallelism_spec": { "constant": 2 } }),
    );
    harness.settle("thumbs").await;
    let after = harness
        .cluster
        .object("deployments", "drover-thumbs")
        .unwrap();
    assert_eq!(after["spec"]["selector"], before["spec"]["selector"]);
    let pod = &after["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["image"], "convert:2");
    assert_eq!(harness.replicas(), Some(2));
    let store = harness.job_store.0.lock().unwrap();
    assert_eq!(
        store.registered[&"thumbs".parse().unwrap()]["transform"]["image"],
        "convert:2"
    );
}

#[tokio::test]
async fn what_somebody_else_changed_about_the_deployment_is_taken_back() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    let before = harness.cluster.picture();
    harness
        .cluster
        .change("deployments", "drover-thumbs", |deployment| {
            deployment["spec"]["replicas"] = json!(17);
            deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!("theirs");
        });
    harness.settle("thumbs").await;
    assert_eq!(harness.cluster.picture(), before);
}

#[tokio::test]
async fn every_pipeline_has_one_resource_the_older_one() {
    let harness = Harness::with(json!({ "pipeline": { "name": "Thumbs" } })).await;
    harness.apply("other", json!({ "pipeline": { "name": "Thumbs" } }));
    harness.settle("other").await;
    assert!(
        harness
            .cluster
            .object("deployments", "drover-other")
            .is_none()
    );
    insta::assert_snapshot!(
        harness.condition("other", "Accepted"),
        @"False NameTaken: the pipeline Thumbs belongs to the Pipeline thumbs of this namespace; give this one another pipeline.name"
    );
    assert!(harness.condition("thumbs", "Accepted").starts_with("True"));
}

#[tokio::test]
async fn the_status_knows_which_spec_it_is_about() {
    let harness = Harness::with(json!({})).await;
    harness.apply("thumbs", json!({ "datum_tries": 9 }));
    harness.settle("thumbs").await;
    let resource = harness.cluster.object("pipelines", "thumbs").unwrap();
    assert_eq!(
        resource["status"]["observedGeneration"],
        resource["metadata"]["generation"]
    );
}
