//! The scale subresource: `kubectl scale` and autoscalers.

use serde_json::json;

use crate::testing::Harness;

const SCALE: &str = "/apis/drover.dev/v1alpha1/namespaces/farm/pipelines/thumbs/scale";

fn get(harness: &Harness) -> Result<serde_json::Value, String> {
    harness.cluster.send("GET", SCALE, "", &json!(null))
}

#[tokio::test]
async fn a_scaled_pipeline_has_so_many_workers_whatever_its_parallelism_says() {
    for parallelism in [json!({ "constant": 2 }), json!({ "coefficient": 1.5 })] {
        let harness = Harness::with(json!({ "parallelism_spec": parallelism })).await;
        let registered = harness.job_store.0.lock().unwrap().registered.clone();
        assert!(
            get(&harness).is_err(),
            "an autoscaler needs `replicas` in the spec"
        );
        harness.scale("thumbs", 4).unwrap();
        harness.settle("thumbs").await;
        assert_eq!(harness.replicas(), Some(4), "{parallelism}");
        assert_eq!(
            harness.job_store.0.lock().unwrap().registered,
            registered,
            "no job starts"
        );
        harness.pods(3, &[]);
        harness.settle("thumbs").await;
        let scale = get(&harness).unwrap();
        assert_eq!(
            (&scale["spec"]["replicas"], &scale["status"]["replicas"]),
            (&json!(4), &json!(3))
        );
        let selector = "app.kubernetes.io/name=drover-worker,drover.dev/pipeline=thumbs";
        assert_eq!(scale["status"]["selector"], selector);
    }
}

#[tokio::test]
async fn a_pipeline_scaled_to_zero_pauses_and_goes_on() {
    let harness =
        Harness::with(json!({ "autoscaling": true, "parallelism_spec": { "constant": 3 } })).await;
    harness.set_backlog(1, 9);
    harness.scale("thumbs", 0).unwrap();
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(0));
    let ready = harness.condition("thumbs", "Ready");
    assert!(
        ready.starts_with("True Paused: ") && ready.contains("kubectl scale pipeline/thumbs"),
        "{ready}"
    );
    harness.scale("thumbs", 2).unwrap();
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(2));
}

#[tokio::test]
async fn a_pipeline_without_the_field_again_follows_its_parallelism() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    harness.scale("thumbs", 1).unwrap();
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(1));
    harness.cluster.change("pipelines", "thumbs", |resource| {
        resource["spec"].as_object_mut().unwrap().remove("replicas");
    });
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(3));
}

#[tokio::test]
async fn numbers_that_are_none_are_refused() {
    let harness = Harness::with(json!({})).await;
    for replicas in [-1, 100_001] {
        assert!(
            harness
                .scale("thumbs", replicas)
                .unwrap_err()
                .contains("replicas")
        );
    }
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "spec": { "replicas": 3 } });
    let refused = harness
        .cluster
        .send("PUT", SCALE, "application/json", &stale);
    assert!(refused.unwrap_err().contains("modified"));
}
