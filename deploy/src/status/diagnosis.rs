//! Why workers are not there, or not ready: what Kubernetes says of Deployment and pods, in a user's words.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};

/// A reason in a word and in a sentence.
pub(super) type Diagnosis = (&'static str, String);

/// Why not as many workers are ready as are wanted; what a person must see to first. None: they are on their way.
pub(super) fn diagnosis(deployment: Option<&Deployment>, pods: &[Pod]) -> Option<Diagnosis> {
    let of_pods = |look: fn(&Pod) -> Option<Diagnosis>| pods.iter().find_map(look);
    refused(deployment)
        .or_else(|| of_pods(not_pulled))
        .or_else(|| of_pods(not_configured))
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
        let words = last
            .message
            .as_deref()
            .and_then(|text| text.trim().lines().last())
            .unwrap_or("it says nothing");
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
