//! Deletion of a pipeline.

use serde_json::json;

use crate::operator::FINALIZER;
use crate::testing::Harness;

const NOW: &str = "2999-01-01T00:00:00Z";
const LONG_AGO: &str = "2026-01-01T00:00:00Z";

#[tokio::test]
async fn a_deleted_pipeline_leaves_the_store_and_goes_without_a_wait_for_its_jobs() {
    let harness = Harness::with(json!({})).await;
    harness.set_backlog(2, 9);
    // No service runs, so the jobs never end: that of a deleted namespace went with it.
    harness.job_store.0.lock().unwrap().jobs_never_end = true;
    harness.delete("thumbs", NOW);
    harness.look("thumbs").await.unwrap();
    let store = harness.job_store.0.lock().unwrap();
    assert!(store.registered.is_empty(), "no more jobs are started");
    assert!(harness.cluster.object("pipelines", "thumbs").is_none());
}

#[tokio::test]
async fn only_a_resource_with_a_pipeline_in_the_store_has_a_finalizer() {
    let harness = Harness::with(json!({})).await;
    let finalizers = |name: &str| {
        harness
            .cluster
            .object("pipelines", name)
            .map(|it| it["metadata"]["finalizers"].clone())
    };
    assert_eq!(finalizers("thumbs"), Some(json!([FINALIZER])));
    harness.apply("wrong", json!({ "datum_timeout": "soon" }));
    harness.settle("wrong").await;
    assert!(
        harness
            .condition("wrong", "Accepted")
            .starts_with("False InvalidSpec")
    );
    assert_eq!(finalizers("wrong"), Some(json!(null)));
    // Accepted later, and spoilt afterwards: the pipeline is in the store.
    harness.apply("wrong", json!({}));
    harness.settle("wrong").await;
    harness.apply("wrong", json!({ "datum_timeout": "soon" }));
    harness.settle("wrong").await;
    assert_eq!(finalizers("wrong"), Some(json!([FINALIZER])));
}

#[tokio::test]
async fn a_pipeline_stays_until_the_store_can_be_told() {
    let harness = Harness::with(json!({})).await;
    harness.job_store.0.lock().unwrap().unreachable = true;
    harness.delete("thumbs", LONG_AGO);
    harness.look("thumbs").await.unwrap_err();
    assert!(
        harness
            .condition("thumbs", "Registered")
            .contains("no route to the bucket")
    );
    harness.job_store.0.lock().unwrap().unreachable = false;
    harness.look("thumbs").await.unwrap();
    assert!(harness.cluster.object("pipelines", "thumbs").is_none());
}

#[tokio::test]
async fn a_pipeline_that_was_refused_takes_nothing_with_it() {
    let harness = Harness::with(json!({})).await;
    harness.apply("other", json!({ "pipeline": { "name": "thumbs" } }));
    harness.settle("other").await;
    harness.delete("other", NOW);
    harness.look("other").await.unwrap();
    assert!(harness.cluster.object("pipelines", "other").is_none());
    assert_eq!(
        harness.job_store.0.lock().unwrap().registered.len(),
        1,
        "the older one's stands"
    );
}

#[tokio::test]
async fn a_pipeline_whose_spec_was_spoilt_is_removed_all_the_same() {
    let harness = Harness::with(json!({})).await;
    harness.apply("thumbs", json!({ "datum_timeout": "soon" }));
    harness.settle("thumbs").await;
    assert!(
        harness
            .condition("thumbs", "Accepted")
            .starts_with("False InvalidSpec")
    );
    harness.delete("thumbs", NOW);
    harness.look("thumbs").await.unwrap();
    assert!(harness.job_store.0.lock().unwrap().registered.is_empty());
}

#[tokio::test]
async fn a_pipeline_is_removed_even_if_its_operator_died_before_it_could_say_anything() {
    let harness = Harness::new();
    harness.apply("thumbs", json!({}));
    harness.look("thumbs").await.unwrap();
    harness.cluster.break_after(0);
    harness.look("thumbs").await.unwrap_err();
    assert_eq!(harness.job_store.0.lock().unwrap().registered.len(), 1);
    harness.cluster.heal();
    harness.delete("thumbs", NOW);
    harness.look("thumbs").await.unwrap();
    assert!(harness.job_store.0.lock().unwrap().registered.is_empty());
}
