//! Why workers are not there, or not ready: what Kubernetes says of Deployment and pods, in a user's words.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A reason in a word and in a sentence.
pub(super) type Diagnosis = (&'static str, String);

/// How long a pod may wait for its volumes and its network before that is told.
const SET_UP_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// Why not as many workers are ready as are wanted; what a person must see to first. None: they are on their way.
pub(super) fn diagnosis(
    deployment: Option<&Deployment>,
    pods: &[Pod],
    now: Timestamp,
) -> Option<Diagnosis> {
    let of_pods = |look: fn(&Pod) -> Option<Diagnosis>| pods.iter().find_map(look);
    refused(deployment)
        .or_else(|| of_pods(not_pulled))
        .or_else(|| of_pods(not_configured))
        .or_else(|| pods.iter().find_map(|pod| not_set_up(pod, now)))
        .or_else(|| of_pods(failing))
        .or_else(|| of_pods(not_placed))
}

/// Pods that the API server does not let in: a quota, or a security standard.
fn refused(deployment: Option<&Deployment>) -> Option<Diagnosis> {
    let status = deployment?.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let failure = conditions.find(|it| it.type_ == "ReplicaFailure" && it.status == "True")?;
    let message = failure
        .message
        .as_deref()
        .unwrap_or("Kubernetes does not say why");
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
                    "the image {image:?} can't be pulled: {}; {advice}",
                    message.unwrap_or(reason)
                ),
            )
        })
    })
}

/// A container that can't be made, as when a Secret is missing or the image has no such file.
fn not_configured(pod: &Pod) -> Option<Diagnosis> {
    containers(pod).find_map(|container| {
        let (reason, message) = waiting(container)?;
        let is_config = matches!(
            reason,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError"
        );
        let advice = "check transform.secrets, transform.user, and the operator's Secrets for broker and store";
        is_config.then(|| {
            ("ContainerNotStarted", format!("a worker's container can't be started: {}; {advice}", message.unwrap_or(reason)))
        })
    })
}

/// A pod that waits for its volumes or its network, as when a Secret that it mounts is missing: its containers do not tell.
fn not_set_up(pod: &Pod, now: Timestamp) -> Option<Diagnosis> {
    let status = pod.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let waiting = conditions
        .find(|it| it.type_ == "PodReadyToStartContainers" && it.status == "False")
        .and_then(|it| it.last_transition_time.as_ref())?;
    let is_late = now.duration_since(waiting.0) > SET_UP_WITHIN;
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

/// A worker that ends again and again.
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
            return Some(("WorkerFails", "a worker ends again and again".to_owned()));
        };
        if last.reason.as_deref() == Some("OOMKilled") {
            let advice = "raise resource_limits.memory";
            return Some((
                "OutOfMemory",
                format!("a worker was killed for want of memory; {advice}"),
            ));
        }
        let words = last.message.as_deref().and_then(last_words);
        let words = words.unwrap_or_else(|| "it says nothing".to_owned());
        Some(match last.exit_code {
            4 => (
                "StoreOrBrokerUnreachable",
                format!("workers can't reach the store or the broker: {words}"),
            ),
            code => (
                "WorkerFails",
                format!("a worker ends again and again, with code {code}: {words}"),
            ),
        })
    })
}

/// What a worker said at last; it speaks in JSON, an object a line.
fn last_words(log: &str) -> Option<String> {
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
        .unwrap_or("Kubernetes does not say why");
    let advice = "check resource_requests, scheduling_spec and tolerations, or add nodes";
    Some((
        "NoFittingNode",
        format!("no node takes a worker: {message}; {advice}"),
    ))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_ref());
    let main = status.and_then(|status| status.container_statuses.as_ref());
    init.into_iter().chain(main).flatten()
}

/// Why a container does not run yet, in Kubernetes' word and sentence.
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
        let told = |since: &str, phase: &str, volumes: Value| {
            let pod = serde_json::from_value(json!({
                "spec": { "containers": [], "volumes": volumes },
                "status": { "phase": phase, "conditions": [{
                    "type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": since,
                }] },
            }));
            diagnosis(None, &[pod.unwrap()], now)
        };
        let long_ago = "2026-01-01T00:00:00Z";
        let volumes = json!([
            { "name": "pfs", "emptyDir": {} },
            { "name": "secret-0", "secret": { "secretName": "database" } },
        ]);
        let (reason, words) = told(long_ago, "Pending", volumes).unwrap();
        assert_eq!(reason, "ContainerNotStarted");
        assert!(words.contains("(database)"), "{words}");
        let (_, words) = told(long_ago, "Pending", json!([])).unwrap();
        assert!(!words.contains("Secret"), "{words}");
        assert_eq!(told("2026-01-01T00:00:50Z", "Pending", json!([])), None);
        assert_eq!(told(long_ago, "Failed", json!([])), None, "it is gone");
    }
}
