//! Deletion of a pipeline.

use serde_json::json;

use crate::operator::FINALIZER;
use crate::testing::Harness;

const NOW: &str = "2999-01-01T00:00:00Z";

#[tokio::test]
async fn a_deleted_pipeline_goes_at_once_and_leaves_the_store_without_a_wait_for_its_jobs() {
    let harness = Harness::with(json!({})).await;
    harness.set_backlog(2, 9);
    // No service runs, so the jobs never end: that of a deleted namespace went with it.
    harness.job_store.0.lock().unwrap().jobs_never_end = true;
    harness.delete("thumbs", NOW);
    assert!(harness.cluster.object("pipelines", "thumbs").is_none());
    harness.sweep().await.unwrap();
    let store = harness.job_store.0.lock().unwrap();
    assert!(store.registered.is_empty(), "no more jobs are started");
}

#[tokio::test]
async fn a_namespace_waits_for_no_operator() {
    let harness = Harness::with(json!({})).await;
    harness.apply("wrong", json!({ "datum_timeout": "soon" }));
    harness.settle("wrong").await;
    // The operator and its rights go first.
    harness.cluster.break_after(0);
    for name in ["thumbs", "wrong"] {
        harness.delete(name, NOW);
        assert!(
            harness.cluster.object("pipelines", name).is_none(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_finalizer_of_an_older_version_is_taken_off() {
    let harness = Harness::with(json!({})).await;
    harness.cluster.change("pipelines", "thumbs", |resource| {
        resource["metadata"]["finalizers"] = json!([FINALIZER, "example.com/other"]);
    });
    harness.settle("thumbs").await;
    let resource = harness.cluster.object("pipelines", "thumbs").unwrap();
    assert_eq!(
        resource["metadata"]["finalizers"],
        json!(["example.com/other"])
    );
    // Also from a resource that is being deleted already.
    harness.cluster.change("pipelines", "thumbs", |resource| {
        resource["metadata"]["finalizers"] = json!([FINALIZER]);
        resource["metadata"]["deletionTimestamp"] = json!(NOW);
    });
    harness.look("thumbs").await.unwrap();
    assert!(harness.cluster.object("pipelines", "thumbs").is_none());
    harness.sweep().await.unwrap();
    assert!(harness.job_store.0.lock().unwrap().registered.is_empty());
}

#[tokio::test]
async fn a_pipeline_stands_until_the_store_can_be_told() {
    let harness = Harness::with(json!({})).await;
    harness.job_store.0.lock().unwrap().unreachable = true;
    harness.delete("thumbs", NOW);
    harness.sweep().await.unwrap_err();
    harness.job_store.0.lock().unwrap().unreachable = false;
    assert_eq!(harness.job_store.0.lock().unwrap().registered.len(), 1);
    harness.sweep().await.unwrap();
    assert!(harness.job_store.0.lock().unwrap().registered.is_empty());
}

#[tokio::test]
async fn a_pipeline_with_another_resource_stays() {
    let harness = Harness::with(json!({})).await;
    harness.apply("other", json!({ "pipeline": { "name": "thumbs" } }));
    harness.settle("other").await;
    harness.delete("other", NOW);
    harness.sweep().await.unwrap();
    assert_eq!(
        harness.job_store.0.lock().unwrap().registered.len(),
        1,
        "the older one's stands"
    );
}

#[tokio::test]
async fn a_pipeline_whose_spec_was_spoilt_stands_and_is_removed_with_its_resource() {
    let harness = Harness::with(json!({})).await;
    harness.apply("thumbs", json!({ "datum_timeout": "soon" }));
    harness.settle("thumbs").await;
    assert!(
        harness
            .condition("thumbs", "Accepted")
            .starts_with("False InvalidSpec")
    );
    harness.sweep().await.unwrap();
    assert_eq!(harness.job_store.0.lock().unwrap().registered.len(), 1);
    harness.delete("thumbs", NOW);
    harness.sweep().await.unwrap();
    assert!(harness.job_store.0.lock().unwrap().registered.is_empty());
}

#[tokio::test]
async fn a_pipeline_is_removed_even_if_its_operator_died_before_it_could_say_anything() {
    let harness = Harness::new();
    harness.apply("thumbs", json!({}));
    harness.cluster.break_after(0);
    harness.look("thumbs").await.unwrap_err();
    assert_eq!(harness.job_store.0.lock().unwrap().registered.len(), 1);
    harness.cluster.heal();
    harness.delete("thumbs", NOW);
    harness.sweep().await.unwrap();
    assert!(harness.job_store.0.lock().unwrap().registered.is_empty());
}
