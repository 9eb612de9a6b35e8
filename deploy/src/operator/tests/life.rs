//! A pipeline comes, stays and changes.

use serde_json::json;

use super::farm::Farm;

#[tokio::test]
async fn a_new_pipeline_is_handed_over_and_gets_its_objects() {
    let farm = Farm::new();
    farm.apply("thumbs", json!({ "parallelism_spec": { "constant": 3 } }));
    farm.look("thumbs").await.unwrap();
    insta::assert_snapshot!(farm.requests(true), @"patch pipelines/thumbs");
    farm.look("thumbs").await.unwrap();
    insta::assert_snapshot!(farm.requests(true), @r#"
    get deployments/drover-thumbs
    list pods
    apply configmaps/drover-thumbs
    apply poddisruptionbudgets/drover-thumbs
    apply deployments/drover-thumbs
    apply pipelines/thumbs/status
    create events: "Normal" "ScaledOut"
    "#);
    assert_eq!(farm.replicas(), Some(3));
    let store = farm.books.0.lock().unwrap();
    let spec = &store.standing[&"thumbs".parse().unwrap()];
    assert_eq!(spec["pipeline"]["name"], "thumbs");
}

#[tokio::test]
async fn looking_again_changes_nothing() {
    let farm = Farm::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    let versions = |farm: &Farm| {
        farm.cluster.object("deployments", "drover-thumbs").unwrap()["metadata"]["resourceVersion"]
            .clone()
    };
    let before = versions(&farm);
    farm.look("thumbs").await.unwrap();
    insta::assert_snapshot!(farm.requests(false), @r"
    apply configmaps/drover-thumbs
    apply poddisruptionbudgets/drover-thumbs
    apply deployments/drover-thumbs
    ");
    assert_eq!(
        versions(&farm),
        before,
        "what is so already stays untouched"
    );
}

#[tokio::test]
async fn a_new_spec_reaches_store_and_pods_and_keeps_the_selector() {
    let farm = Farm::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    let before = farm.cluster.object("deployments", "drover-thumbs").unwrap();
    farm.apply(
        "thumbs",
        json!({ "transform": { "image": "convert:2" }, "parallelism_spec": { "constant": 2 } }),
    );
    farm.settle("thumbs").await;
    let after = farm.cluster.object("deployments", "drover-thumbs").unwrap();
    assert_eq!(after["spec"]["selector"], before["spec"]["selector"]);
    let pod = &after["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["image"], "convert:2");
    assert_eq!(farm.replicas(), Some(2));
    let store = farm.books.0.lock().unwrap();
    assert_eq!(
        store.standing[&"thumbs".parse().unwrap()]["transform"]["image"],
        "convert:2"
    );
}

#[tokio::test]
async fn what_somebody_else_changed_about_the_deployment_is_taken_back() {
    let farm = Farm::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    let before = farm.cluster.picture();
    farm.cluster
        .change("deployments", "drover-thumbs", |deployment| {
            deployment["spec"]["replicas"] = json!(17);
            deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!("theirs");
        });
    farm.settle("thumbs").await;
    assert_eq!(farm.cluster.picture(), before);
}

#[tokio::test]
async fn every_pipeline_has_one_resource_the_older_one() {
    let farm = Farm::with(json!({ "pipeline": { "name": "Thumbs" } })).await;
    farm.apply("other", json!({ "pipeline": { "name": "Thumbs" } }));
    farm.settle("other").await;
    assert!(farm.cluster.object("deployments", "drover-other").is_none());
    insta::assert_snapshot!(
        farm.condition("other", "Accepted"),
        @"False NameTaken: the pipeline Thumbs belongs to the Pipeline thumbs of this namespace; give this one another pipeline.name"
    );
    assert!(farm.condition("thumbs", "Accepted").starts_with("True"));
}

#[tokio::test]
async fn the_status_knows_which_spec_it_is_about() {
    let farm = Farm::with(json!({})).await;
    farm.apply("thumbs", json!({ "datum_tries": 9 }));
    farm.settle("thumbs").await;
    let resource = farm.cluster.object("pipelines", "thumbs").unwrap();
    assert_eq!(
        resource["status"]["observedGeneration"],
        resource["metadata"]["generation"]
    );
}
