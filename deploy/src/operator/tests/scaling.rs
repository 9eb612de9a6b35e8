//! Scaling with the backlog.

use serde_json::json;

use crate::testing::Harness;
use crate::worker_probe::DELETION_COST;

#[tokio::test]
async fn a_standby_pipeline_wakes_with_a_job_and_rests_after_its_grace() {
    let harness =
        Harness::with(json!({ "parallelism_spec": { "constant": 4 }, "standby": true })).await;
    assert_eq!(harness.replicas(), Some(0));
    assert!(
        harness
            .condition("thumbs", "Ready")
            .starts_with("True Standby")
    );
    harness.set_backlog(1, 0);
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(4), "at once");
    harness.pods(4, &[]);
    harness.set_backlog(0, 0);
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(4), "in its grace");
    // A minute later.
    harness.cluster.change("pipelines", "thumbs", |resource| {
        resource["status"]["idleSince"] = json!("2026-01-01T00:00:00Z");
    });
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(0));
}

#[tokio::test]
async fn before_workers_go_the_idle_ones_are_marked_to_go_first() {
    let spec = json!({ "parallelism_spec": { "constant": 4 }, "autoscaling": true });
    let harness = Harness::with(spec).await;
    harness.set_backlog(1, 300);
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(4));
    harness.pods(4, &[1, 3]);
    harness.mute(&[2]);
    harness.set_backlog(1, 1);
    harness.cluster.requests();
    harness.look("thumbs").await.unwrap();
    assert_eq!(harness.replicas(), Some(2), "the two that are busy stay");
    let requests = harness.requests(false);
    let at = |line: &str| requests.lines().position(|it| it == line).unwrap();
    assert!(at("merge pods/drover-thumbs-3") < at("apply deployments/drover-thumbs"));
    let cost = |number: u8| {
        let pod = harness
            .cluster
            .object("pods", &format!("drover-thumbs-{number}"))
            .unwrap();
        pod["metadata"]["annotations"][DELETION_COST]
            .as_str()
            .map(str::to_owned)
    };
    let costs = [0, 1, 2, 3].map(cost);
    let expected = [None, Some("1000"), Some("100"), Some("1000")];
    assert_eq!(costs, expected.map(|cost| cost.map(str::to_owned)));
}

#[tokio::test]
async fn while_anything_is_unfinished_somebody_is_there() {
    let harness = Harness::with(
        json!({ "autoscaling": true, "standby": true, "parallelism_spec": { "constant": 4 } }),
    )
    .await;
    for (jobs, outstanding) in [(1, 0), (1, 9), (2, 0), (1, 0)] {
        harness.set_backlog(jobs, outstanding);
        harness.settle("thumbs").await;
        assert!(
            harness.replicas() >= Some(1),
            "{jobs} jobs, {outstanding} datums"
        );
    }
}

#[tokio::test]
async fn a_pipeline_at_work_is_looked_at_again_soon() {
    let harness = Harness::with(json!({})).await;
    harness.set_backlog(1, 9);
    let action = harness.look("thumbs").await.unwrap();
    assert_eq!(
        action,
        kube::runtime::controller::Action::requeue(std::time::Duration::from_secs(5))
    );
}
