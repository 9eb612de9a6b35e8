//! Conditions and events.

use std::fmt::Write;

use drover_shared::id::JobId;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::queue::Link;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::testing::Harness;

#[tokio::test]
async fn a_spec_that_makes_no_sense_is_told_with_all_findings() {
    let harness = Harness::new();
    harness.apply("thumbs", json!({ "transform": { "user": "a b" }, "parallelism_spec": { "constant": 2, "coefficient": 1.5 } }));
    harness.settle("thumbs").await;
    insta::assert_snapshot!(harness.condition("thumbs", "Accepted"));
    assert_eq!(harness.replicas(), None);
    assert!(harness.job_store.0.lock().unwrap().registered.is_empty());
    assert!(
        harness
            .requests(false)
            .contains(r#"create events: "Warning" "InvalidSpec""#)
    );
    harness.apply("thumbs", json!({}));
    harness.settle("thumbs").await;
    assert!(harness.condition("thumbs", "Accepted").starts_with("True"));
}

#[tokio::test]
async fn a_patch_that_does_not_fit_the_pod_is_told() {
    let harness = Harness::new();
    harness.apply(
        "thumbs",
        json!({ "pod_patch": r#"[{"op": "remove", "path": "/nowhere"}]"# }),
    );
    harness.settle("thumbs").await;
    insta::assert_snapshot!(harness.condition("thumbs", "Accepted"));
    harness.apply(
        "thumbs",
        json!({ "pod_patch": null, "pod_spec": r#"{"containers": "none"}"# }),
    );
    harness.settle("thumbs").await;
    insta::assert_snapshot!(harness.condition("thumbs", "Accepted"));
}

#[tokio::test]
async fn changes_of_the_pod_are_told_as_long_as_there_are_any() {
    let harness = Harness::with(json!({ "pod_spec": r#"{"hostname": "one"}"# })).await;
    let told = harness.condition("thumbs", "PodChanged");
    assert!(
        told.starts_with("True AllowPodSpec") && told.contains("--allow-pod-spec"),
        "{told}"
    );
    harness.apply("thumbs", json!({ "pod_spec": null }));
    harness.settle("thumbs").await;
    let told = harness.condition("thumbs", "PodChanged");
    assert!(told.starts_with("False Unchanged"), "{told}");
}

#[tokio::test]
async fn while_the_store_is_away_workers_stay_as_they_are() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 3 } })).await;
    let before = harness.cluster.object("deployments", "drover-thumbs");
    harness.job_store.0.lock().unwrap().unreachable = true;
    harness.look("thumbs").await.unwrap_err();
    assert_eq!(
        harness.cluster.object("deployments", "drover-thumbs"),
        before
    );
    insta::assert_snapshot!(harness.condition("thumbs", "Registered"));
    harness.job_store.0.lock().unwrap().unreachable = false;
    harness.settle("thumbs").await;
    assert!(
        harness
            .condition("thumbs", "Registered")
            .starts_with("True")
    );
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({ "containerStatuses": [{
        "name": "worker", "image": "convert:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "waiting": { "reason": reason, "message": message } },
    }] })
}

fn crashed(code: i32, reason: &str, message: &str) -> Value {
    let mut status = waiting(
        "CrashLoopBackOff",
        "back-off 5m0s restarting failed container",
    );
    status["containerStatuses"][0]["lastState"] =
        json!({ "terminated": { "exitCode": code, "reason": reason, "message": message } });
    status
}

#[tokio::test]
async fn why_workers_are_not_there_is_told_in_words() {
    let unschedulable = json!({ "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    }] });
    let rows = [
        (
            "image",
            waiting("ImagePullBackOff", "Back-off pulling image \"convert:1\""),
        ),
        (
            "name",
            waiting("InvalidImageName", "couldn't parse image name"),
        ),
        (
            "secret",
            waiting(
                "CreateContainerConfigError",
                "secret \"database\" not found",
            ),
        ),
        (
            "unreachable",
            crashed(
                4,
                "Error",
                "{\"level\":\"INFO\"}\n{\"error\":\"cannot begin without the broker\",\"message\":\"the worker ends\"}\n",
            ),
        ),
        ("broken", crashed(1, "Error", "no scratch space")),
        ("memory", crashed(137, "OOMKilled", "")),
        ("nodes", unschedulable),
        ("starting", waiting("ContainerCreating", "")),
    ];
    let mut told = String::new();
    for (name, status) in rows {
        let harness = Harness::with(json!({ "parallelism_spec": { "constant": 1 } })).await;
        harness.pod_in(status);
        harness.settle("thumbs").await;
        let warned = harness.requests(false).contains("Warning");
        let ready = harness.condition("thumbs", "Ready");
        writeln!(told, "{name}: {ready} (warned: {warned})").unwrap();
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_told() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 1 } })).await;
    harness
        .cluster
        .change("deployments", "drover-thumbs", |deployment| {
            deployment["status"] = json!({ "conditions": [{
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "pods \"drover-thumbs-1\" is forbidden: exceeded quota: small",
        }] });
        });
    harness.settle("thumbs").await;
    assert!(
        harness
            .condition("thumbs", "Ready")
            .starts_with("False QuotaExceeded: 0 of 1 workers")
    );
}

#[tokio::test]
async fn an_event_that_cannot_be_published_stops_nothing() {
    let harness = Harness::new();
    harness.cluster.forbid("events");
    harness.apply("thumbs", json!({ "parallelism_spec": { "constant": 3 } }));
    harness.settle("thumbs").await;
    assert_eq!(harness.replicas(), Some(3));
}

#[tokio::test]
async fn objects_that_the_api_server_does_not_take_are_told() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 1 } })).await;
    let secret = |name: &str| json!({ "name": name, "mount_path": "/key" });
    harness.apply(
        "thumbs",
        json!({ "transform": { "secrets": [secret("one"), secret("other")] } }),
    );
    let error = harness.look("thumbs").await.unwrap_err();
    assert_eq!(error.pause(0), std::time::Duration::from_mins(2));
    insta::assert_snapshot!(harness.condition("thumbs", "Ready"));
    assert!(harness.requests(false).contains("\"ObjectsRefused\""));
    harness.apply("thumbs", json!({}));
    harness.settle("thumbs").await;
    assert!(!harness.condition("thumbs", "Ready").contains("Refused"));
}

#[tokio::test]
async fn an_operator_without_the_right_to_make_deployments_waits_for_it() {
    let harness = Harness::new();
    harness.cluster.forbid("deployments");
    harness.apply("thumbs", json!({}));
    let error = harness.look("thumbs").await.unwrap_err();
    assert_eq!(error.to_string(), "cannot look for the Deployment");
    assert_eq!(error.pause(0), std::time::Duration::from_mins(2));
}

#[tokio::test]
async fn the_status_shows_when_an_operator_looked_last() {
    let harness = Harness::with(json!({})).await;
    harness.look("thumbs").await.unwrap();
    assert!(!harness.requests(false).contains("status"), "not each time");
    let long_ago = json!("2026-01-01T00:00:00Z");
    harness.cluster.change("pipelines", "thumbs", |resource| {
        resource["status"]["observedAt"] = long_ago.clone();
    });
    harness.look("thumbs").await.unwrap();
    assert!(harness.status("thumbs")["observedAt"].as_str() > long_ago.as_str());
}

#[tokio::test]
async fn a_failed_job_makes_a_condition_and_an_event() {
    let harness = Harness::with(json!({})).await;
    let job = |state, reason: Option<&str>| {
        let mut record = JobRecord::new(
            JobId::generate(),
            "thumbs".parse().unwrap(),
            Timestamp::now(),
        );
        record.state = state;
        record.reason = reason.map(str::to_owned);
        record
    };
    let failed = job(
        JobState::Failure,
        Some("2 of 9 datums failed: exit 1: no such font (2)"),
    );
    harness.set_last_job(failed.clone());
    harness.settle("thumbs").await;
    let condition = harness.condition("thumbs", "JobSucceeded");
    let expected = format!(
        "False JobFailed: job {} failed: 2 of 9 datums failed: exit 1: no such font (2);",
        failed.id
    );
    assert!(condition.starts_with(&expected), "{condition}");
    assert!(
        condition.contains(&format!("drover retry {}", failed.id)),
        "{condition}"
    );
    let events = |requests: &str| {
        requests
            .matches(r#"create events: "Warning" "JobFailed""#)
            .count()
    };
    assert_eq!(events(&harness.requests(false)), 1);
    // The next job fails as well.
    harness.set_last_job(job(JobState::Failure, Some("another reason")));
    harness.settle("thumbs").await;
    assert_eq!(events(&harness.requests(false)), 1);
    harness.set_last_job(job(JobState::Running, None));
    harness.settle("thumbs").await;
    let condition = harness.condition("thumbs", "JobSucceeded");
    assert!(
        condition.starts_with("Unknown JobUnfinished"),
        "{condition}"
    );
    harness.set_last_job(job(JobState::Success, None));
    harness.settle("thumbs").await;
    let condition = harness.condition("thumbs", "JobSucceeded");
    assert!(condition.starts_with("True JobSucceeded"), "{condition}");
    let requests = harness.requests(false);
    assert!(!requests.contains("Warning"), "{requests}");
}

#[tokio::test]
async fn while_the_broker_is_unreachable_workers_are_not_said_to_start() {
    let harness = Harness::with(json!({ "parallelism_spec": { "constant": 1 } })).await;
    let why = "connection refused".to_owned();
    *harness.link.lock().unwrap() = Link::Down { why };
    harness.settle("thumbs").await;
    let ready = harness.condition("thumbs", "Ready");
    assert!(
        ready.starts_with("False BrokerUnreachable: 0 of 1 workers are ready")
            && ready.ends_with("connection refused"),
        "{ready}"
    );
}
