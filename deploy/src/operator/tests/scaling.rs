//! Scaling with the backlog.

use serde_json::json;

use crate::testing::Harness;
use crate::worker_probe::{DELETION_COST, PROTECTION};

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

fn protections(harness: &Harness) -> Vec<(u8, usize)> {
    let has = |number: u8| {
        let pod = harness
            .cluster
            .object("pods", &format!("drover-thumbs-{number}"))
            .unwrap();
        let annotations = pod["metadata"]["annotations"].clone();
        let keys = PROTECTION
            .iter()
            .filter(|(key, value)| annotations[key] == *value);
        (number, keys.count())
    };
    (0..3).map(has).collect()
}

#[tokio::test]
async fn busy_workers_are_protected_from_autoscalers_of_nodes_and_idle_ones_are_not() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    harness.pods(3, &[0, 2]);
    harness.set_backlog(1, 9);
    harness.settle("thumbs").await;
    assert_eq!(protections(&harness), [(0, 2), (1, 0), (2, 2)]);
    harness.cluster.requests();
    harness.look("thumbs").await.unwrap();
    assert!(
        !harness.requests(false).contains("pods"),
        "a worker that stays busy is written once"
    );
    // Worker 0 does not answer; worker 1 takes work from worker 2.
    harness.make_busy(&[1]);
    harness.mute(&[0]);
    harness.settle("thumbs").await;
    assert_eq!(protections(&harness), [(0, 2), (1, 2), (2, 0)]);
    harness.mute(&[]);
    harness.make_busy(&[]);
    harness.set_backlog(0, 0);
    harness.settle("thumbs").await;
    assert_eq!(
        protections(&harness),
        [(0, 0), (1, 0), (2, 0)],
        "also after the last job"
    );
}

#[tokio::test]
async fn workers_leave_a_node_whose_end_is_announced() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    harness.pods(3, &[0, 1, 2]);
    harness.set_backlog(1, 9);
    harness.settle("thumbs").await;
    harness.taint_node_of(1, "aws-node-termination-handler/spot-itn");
    harness.cluster.requests();
    harness.settle("thumbs").await;
    let requests = harness.requests(false);
    let deletions: Vec<_> = requests
        .lines()
        .filter(|line| line.starts_with("delete"))
        .collect();
    assert_eq!(
        deletions,
        ["delete pods/drover-thumbs-1"],
        "once, and no other one"
    );
}

#[tokio::test]
async fn large_workers_come_with_the_datums_that_need_them_and_go_with_them() {
    let spec = |max_memory| {
        json!({
            "parallelism_spec": { "constant": 2 },
            "resource_limits": { "memory": "1Gi" },
            "max_memory": max_memory,
        })
    };
    let harness = Harness::with(spec(json!("8Gi"))).await;
    let large = || {
        let deployments = harness.cluster.object("deployments", "drover-thumbs-large");
        deployments.map(|it| it["spec"].clone())
    };
    harness.set_backlog(1, 100);
    for (in_need, expected) in [(0, 0), (1, 1), (40, 2), (0, 0)] {
        harness.job_store.0.lock().unwrap().in_need = in_need;
        harness.settle("thumbs").await;
        let spec = large().unwrap();
        assert_eq!(spec["replicas"], expected, "{in_need} datums");
        let container = &spec["template"]["spec"]["containers"][0];
        assert_eq!(container["resources"]["limits"]["memory"], "8Gi");
    }
    assert_eq!(harness.replicas(), Some(2), "the usual ones stay");
    harness.job_store.0.lock().unwrap().in_need = 1;
    harness.settle("thumbs").await;
    harness.apply("thumbs", spec(json!(null)));
    harness.settle("thumbs").await;
    assert_eq!(large().unwrap()["replicas"], 0, "not wanted any more");
}

#[tokio::test]
async fn a_pipeline_without_max_memory_has_no_large_workers() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 2 } })).await;
    harness.set_backlog(1, 100);
    harness.job_store.0.lock().unwrap().in_need = 5;
    harness.settle("thumbs").await;
    let large = harness.cluster.object("deployments", "drover-thumbs-large");
    assert_eq!(large, None);
}

#[tokio::test]
async fn the_store_is_told_of_containers_that_were_killed_for_want_of_memory() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 2 } })).await;
    harness.pods(2, &[]);
    harness.cluster.change("pods", "drover-thumbs-1", |pod| {
        pod["status"]["containerStatuses"] = json!([{
            "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 1,
            "lastState": { "terminated": {
                "exitCode": 137, "reason": "OOMKilled",
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:05:00Z",
            } },
        }]);
    });
    harness.settle("thumbs").await;
    let told = harness.job_store.0.lock().unwrap().out_of_memory.clone();
    assert_eq!(told.into_iter().collect::<Vec<_>>(), ["drover-thumbs-1"]);
}
