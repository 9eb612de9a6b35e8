//! Workers come and go with the work.

use serde_json::json;

use super::farm::Farm;
use crate::crew::COST;

#[tokio::test]
async fn a_standby_pipeline_wakes_with_a_job_and_rests_after_its_grace() {
    let farm = Farm::with(json!({ "parallelism_spec": { "constant": 4 }, "standby": true })).await;
    assert_eq!(farm.replicas(), Some(0));
    assert!(
        farm.condition("thumbs", "Ready")
            .starts_with("True Standby")
    );
    farm.work(1, 0);
    farm.settle("thumbs").await;
    assert_eq!(farm.replicas(), Some(4), "at once");
    farm.pods(4, &[]);
    farm.work(0, 0);
    farm.settle("thumbs").await;
    assert_eq!(farm.replicas(), Some(4), "in its grace");
    // A minute later.
    farm.cluster.change("pipelines", "thumbs", |resource| {
        resource["status"]["idleSince"] = json!("2026-01-01T00:00:00Z");
    });
    farm.settle("thumbs").await;
    assert_eq!(farm.replicas(), Some(0));
}

#[tokio::test]
async fn before_workers_go_the_idle_ones_are_marked_to_go_first() {
    let spec = json!({ "parallelism_spec": { "constant": 4 }, "autoscaling": true });
    let farm = Farm::with(spec).await;
    farm.work(1, 300);
    farm.settle("thumbs").await;
    assert_eq!(farm.replicas(), Some(4));
    farm.pods(4, &[1, 3]);
    farm.mute(&[2]);
    farm.work(1, 1);
    farm.cluster.requests();
    farm.look("thumbs").await.unwrap();
    assert_eq!(farm.replicas(), Some(2), "the two that are busy stay");
    let requests = farm.requests(false);
    let at = |line: &str| requests.lines().position(|it| it == line).unwrap();
    assert!(at("merge pods/drover-thumbs-3") < at("apply deployments/drover-thumbs"));
    let cost = |number: u8| {
        let pod = farm
            .cluster
            .object("pods", &format!("drover-thumbs-{number}"))
            .unwrap();
        pod["metadata"]["annotations"][COST]
            .as_str()
            .map(str::to_owned)
    };
    let costs = [0, 1, 2, 3].map(cost);
    let expected = [None, Some("1000"), Some("100"), Some("1000")];
    assert_eq!(costs, expected.map(|cost| cost.map(str::to_owned)));
}

#[tokio::test]
async fn while_anything_is_unfinished_somebody_is_there() {
    let farm = Farm::with(
        json!({ "autoscaling": true, "standby": true, "parallelism_spec": { "constant": 4 } }),
    )
    .await;
    for (jobs, outstanding) in [(1, 0), (1, 9), (2, 0), (1, 0)] {
        farm.work(jobs, outstanding);
        farm.settle("thumbs").await;
        assert!(
            farm.replicas() >= Some(1),
            "{jobs} jobs, {outstanding} datums"
        );
    }
}

#[tokio::test]
async fn a_pipeline_at_work_is_looked_at_again_soon() {
    let farm = Farm::with(json!({})).await;
    farm.work(1, 9);
    let action = farm.look("thumbs").await.unwrap();
    assert_eq!(
        action,
        kube::runtime::controller::Action::requeue(std::time::Duration::from_secs(5))
    );
}
