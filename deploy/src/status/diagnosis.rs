//! Explains missing or unready workers by the states of Deployment and pods.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Reason and message.
pub(super) type Diagnosis = (&'static str, String);

/// Time for a pod to get its volumes and network before a diagnosis reports it.
const SETUP_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// The most important obstacle to the desired workers; `None` if they are just starting.
pub(super) fn diagnosis(
    deployment: Option<&Deployment>,
    pods: &[Pod],
    unready_nodes: &BTreeSet<String>,
    now: Timestamp,
) -> Option<Diagnosis> {
    let of_pods = |look: fn(&Pod) -> Option<Diagnosis>| pods.iter().find_map(look);
    refused(deployment)
        .or_else(|| of_pods(not_pulled))
        .or_else(|| of_pods(not_configured))
        .or_else(|| {
            pods.iter()
                .find_map(|pod| on_unready_node(pod, unready_nodes))
        })
        .or_else(|| pods.iter().find_map(|pod| not_set_up(pod, now)))
        .or_else(|| of_pods(failing))
        .or_else(|| of_pods(not_placed))
}

/// Pods that the API server refuses because of a quota or a security standard.
fn refused(deployment: Option<&Deployment>) -> Option<Diagnosis> {
    let status = deployment?.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let failure = conditions.find(|it| it.type_ == "ReplicaFailure" && it.status == "True")?;
    let message = failure
        .message
        .as_deref()
        .unwrap_or("Kubernetes gives no reason");
    if message.contains("exceeded quota") {
        let advice = "raise the quota of the namespace, or ask for less in resource_requests or parallelism_spec";
        return Some(("QuotaExceeded", format!("{message}; {advice}")));
    }
    Some((
        "PodsRefused",
        format!("Kubernetes refuses the pods: {message}"),
    ))
}

fn not_pulled(pod: &Pod) -> Option<Diagnosis> {
    containers(pod).find_map(|container| {
        let (reason, message) = waiting(container)?;
        let is_pull = matches!(
            reason,
            "ErrImagePull"
                | "ImagePullBackOff"
                | "InvalidImageName"
                | "ErrImageNeverPull"
                | "ImageInspectError"
        );
        let advice = "check transform.image and image_pull_secrets";
        is_pull.then(|| {
            let image = &container.image;
            (
                "ImagePullFailed",
                format!(
                    "the image {image:?} cannot be pulled: {}; {advice}",
                    message.unwrap_or(reason)
                ),
            )
        })
    })
}

/// A container that cannot be created, for example because a Secret or a file of the image is missing.
fn not_configured(pod: &Pod) -> Option<Diagnosis> {
    containers(pod).find_map(|container| {
        let (reason, message) = waiting(container)?;
        let is_config = matches!(
            reason,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError"
        );
        let advice = "check transform.secrets, transform.user, and the operator's Secrets for broker and store";
        is_config.then(|| {
            ("ContainerNotStarted", format!("a worker's container cannot be started: {}; {advice}", message.unwrap_or(reason)))
        })
    })
}

/// A pod on a node whose kubelet no longer reports.
fn on_unready_node(pod: &Pod, unready_nodes: &BTreeSet<String>) -> Option<Diagnosis> {
    let node = pod.spec.as_ref()?.node_name.as_deref()?;
    unready_nodes.contains(node).then(|| {
        let advice = "Kubernetes starts its workers elsewhere after five minutes";
        (
            "NodeNotReady",
            format!("the node {node} is not ready; {advice}; `kubectl describe node {node}` shows its conditions"),
        )
    })
}

/// A pod that waits for its volumes or its network, for example because a mounted Secret is missing. The container's
/// state does not show this.
fn not_set_up(pod: &Pod, now: Timestamp) -> Option<Diagnosis> {
    let status = pod.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let waiting = conditions
        .find(|it| it.type_ == "PodReadyToStartContainers" && it.status == "False")
        .and_then(|it| it.last_transition_time.as_ref())?;
    let is_late = now.duration_since(waiting.0) > SETUP_TIMEOUT;
    (is_late && status.phase.as_deref() == Some("Pending")).then(|| {
        let secrets = mounted_secrets(pod).join(", ");
        let advice = match secrets.as_str() {
            "" => String::new(),
            secrets => format!("check that each of its Secrets exists ({secrets}); "),
        };
        ("ContainerNotStarted", format!("a worker's pod waits for its volumes or its network; {advice}`kubectl describe pod` shows what is missing"))
    })
}

fn mounted_secrets(pod: &Pod) -> Vec<&str> {
    let spec = pod.spec.as_ref();
    let volumes = spec.and_then(|spec| spec.volumes.as_ref());
    let secrets = volumes.into_iter().flatten();
    let secrets = secrets.filter_map(|volume| volume.secret.as_ref()?.secret_name.as_deref());
    secrets.collect()
}

/// A worker that exits repeatedly.
fn failing(pod: &Pod) -> Option<Diagnosis> {
    containers(pod).find_map(|container| {
        let (reason, _) = waiting(container)?;
        if reason != "CrashLoopBackOff" {
            return None;
        }
        let last = container
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref());
        let Some(last) = last else {
            return Some(("WorkerFails", "a worker exits repeatedly".to_owned()));
        };
        if last.reason.as_deref() == Some("OOMKilled") {
            let advice = "raise resource_limits.memory";
            return Some((
                "OutOfMemory",
                format!("a worker was killed because it exceeded its memory limit; {advice}"),
            ));
        }
        let message = last.message.as_deref().and_then(last_log_message);
        let message = message.unwrap_or_else(|| "its log is empty".to_owned());
        Some(match last.exit_code {
            4 => (
                "StoreOrBrokerUnreachable",
                format!("workers cannot reach the store or the broker: {message}"),
            ),
            code => (
                "WorkerFails",
                format!("a worker exits repeatedly with code {code}: {message}"),
            ),
        })
    })
}

/// The last message in a worker's log, which consists of JSON lines.
fn last_log_message(log: &str) -> Option<String> {
    let line = log.trim().lines().last()?;
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let said = event["error"].as_str().or(event["message"].as_str());
    Some(said.unwrap_or(line).to_owned())
}

/// A pod that fits no node.
fn not_placed(pod: &Pod) -> Option<Diagnosis> {
    let status = pod.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let placed = conditions.find(|it| it.type_ == "PodScheduled" && it.status == "False")?;
    if placed.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    let message = placed
        .message
        .as_deref()
        .unwrap_or("Kubernetes gives no reason");
    let advice = "check resource_requests, scheduling_spec and tolerations, or add nodes";
    Some((
        "NoFittingNode",
        format!("no node fits a worker: {message}; {advice}"),
    ))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_ref());
    let main = status.and_then(|status| status.container_statuses.as_ref());
    init.into_iter().chain(main).flatten()
}

/// Kubernetes' reason and message for a waiting container.
fn waiting(container: &ContainerStatus) -> Option<(&str, Option<&str>)> {
    let ContainerState { waiting, .. } = container.state.as_ref()?;
    let waiting = waiting.as_ref()?;
    Some((waiting.reason.as_deref()?, waiting.message.as_deref()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_waits_long_for_its_volumes_is_told_with_the_secrets_that_it_mounts() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let diagnose = |since: &str, phase: &str, volumes: Value| {
            let pod = serde_json::from_value(json!({
                "spec": { "containers": [], "volumes": volumes },
                "status": { "phase": phase, "conditions": [{
                    "type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": since,
                }] },
            }));
            diagnosis(None, &[pod.unwrap()], &BTreeSet::new(), now)
        };
        let long_ago = "2026-01-01T00:00:00Z";
        let volumes = json!([
            { "name": "pfs", "emptyDir": {} },
            { "name": "secret-0", "secret": { "secretName": "database" } },
        ]);
        let (reason, message) = diagnose(long_ago, "Pending", volumes).unwrap();
        assert_eq!(reason, "ContainerNotStarted");
        assert!(message.contains("(database)"), "{message}");
        let (_, message) = diagnose(long_ago, "Pending", json!([])).unwrap();
        assert!(!message.contains("Secret"), "{message}");
        assert_eq!(diagnose("2026-01-01T00:00:50Z", "Pending", json!([])), None);
        assert_eq!(diagnose(long_ago, "Failed", json!([])), None, "it is gone");
    }

    #[test]
    fn a_node_that_is_not_ready_is_named() {
        let pod: Pod = serde_json::from_value(json!({
            "spec": { "containers": [], "nodeName": "n1" },
            "status": { "conditions": [{ "type": "Ready", "status": "False" }] },
        }))
        .unwrap();
        let now = Timestamp::now();
        let diagnose = |node: &str| {
            let unready = BTreeSet::from([node.to_owned()]);
            diagnosis(None, std::slice::from_ref(&pod), &unready, now)
        };
        let (reason, message) = diagnose("n1").unwrap();
        assert_eq!(reason, "NodeNotReady");
        assert!(message.contains("the node n1 is not ready"), "{message}");
        assert_eq!(diagnose("n2"), None);
    }
}
