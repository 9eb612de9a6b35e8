//! A pipeline goes.

use serde_json::json;

use super::farm::Farm;
use crate::operator::OperatorError;

const NOW: &str = "2999-01-01T00:00:00Z";
const LONG_AGO: &str = "2026-01-01T00:00:00Z";

#[tokio::test]
async fn a_deleted_pipeline_leaves_the_store_first_and_then_the_cluster() {
    let farm = Farm::with(json!({})).await;
    farm.work(2, 9);
    farm.delete("thumbs", NOW);
    let waiting = farm.look("thumbs").await.unwrap_err();
    assert!(matches!(waiting, OperatorError::JobsOpen(2)), "{waiting}");
    assert!(
        farm.books.0.lock().unwrap().standing.is_empty(),
        "no more jobs are started"
    );
    assert!(
        farm.condition("thumbs", "Ready")
            .contains("waiting for 2 stopped jobs")
    );
    farm.look("thumbs").await.unwrap();
    assert!(farm.cluster.object("pipelines", "thumbs").is_none());
}

#[tokio::test]
async fn where_nobody_ends_jobs_the_pipeline_goes_after_a_while_all_the_same() {
    let farm = Farm::with(json!({})).await;
    farm.work(1, 9);
    farm.books.0.lock().unwrap().unattended = true;
    farm.delete("thumbs", NOW);
    farm.look("thumbs").await.unwrap_err();
    farm.look("thumbs").await.unwrap_err();
    farm.delete("thumbs", LONG_AGO);
    farm.look("thumbs").await.unwrap();
    assert!(farm.cluster.object("pipelines", "thumbs").is_none());
}

#[tokio::test]
async fn a_pipeline_stays_until_the_store_can_be_told() {
    let farm = Farm::with(json!({})).await;
    farm.books.0.lock().unwrap().lost = true;
    farm.delete("thumbs", LONG_AGO);
    farm.look("thumbs").await.unwrap_err();
    assert!(
        farm.condition("thumbs", "Registered")
            .contains("no route to the bucket")
    );
    farm.books.0.lock().unwrap().lost = false;
    farm.look("thumbs").await.unwrap();
    assert!(farm.cluster.object("pipelines", "thumbs").is_none());
}

#[tokio::test]
async fn a_pipeline_that_was_refused_takes_nothing_with_it() {
    let farm = Farm::with(json!({})).await;
    farm.apply("other", json!({ "pipeline": { "name": "thumbs" } }));
    farm.settle("other").await;
    farm.delete("other", NOW);
    farm.look("other").await.unwrap();
    assert!(farm.cluster.object("pipelines", "other").is_none());
    assert_eq!(
        farm.books.0.lock().unwrap().standing.len(),
        1,
        "the older one's stands"
    );
}

#[tokio::test]
async fn a_pipeline_whose_spec_was_spoilt_is_removed_all_the_same() {
    let farm = Farm::with(json!({})).await;
    farm.apply("thumbs", json!({ "datum_timeout": "soon" }));
    farm.settle("thumbs").await;
    assert!(
        farm.condition("thumbs", "Accepted")
            .starts_with("False InvalidSpec")
    );
    farm.delete("thumbs", NOW);
    farm.look("thumbs").await.unwrap();
    assert!(farm.books.0.lock().unwrap().standing.is_empty());
}

#[tokio::test]
async fn a_pipeline_is_removed_even_if_its_operator_died_before_it_could_say_anything() {
    let farm = Farm::new();
    farm.apply("thumbs", json!({}));
    farm.look("thumbs").await.unwrap();
    farm.cluster.break_after(0);
    farm.look("thumbs").await.unwrap_err();
    assert_eq!(farm.books.0.lock().unwrap().standing.len(), 1);
    farm.cluster.heal();
    farm.delete("thumbs", NOW);
    farm.look("thumbs").await.unwrap();
    assert!(farm.books.0.lock().unwrap().standing.is_empty());
}
