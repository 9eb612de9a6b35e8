//! The operator's writes to the cluster.

use drover_shared::causes::with_causes;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use super::{Context, FINALIZER, OperatorError};
use crate::crd::{Pipeline, PipelineStatus};
use crate::job_store::JobStoreError;
use crate::objects::{MANAGER, Objects, large_name, object_name};
use crate::status::{PipelineEvent, ReconcileOutcome, events, pipeline_status};
use crate::worker_probe::DELETION_COST;

/// Maximum length of an event's note in the Kubernetes API.
const MAX_NOTE_BYTES: usize = 1024;

/// Age of a status after which it is written again although nothing changed, so users see a missing operator.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(30);

/// Server-side apply that takes back our fields from other managers.
fn apply_params() -> PatchParams {
    PatchParams::apply(MANAGER).force()
}

/// Applies the objects of a pipeline; the API server leaves unchanged objects untouched. Returns the current
/// Deployment.
pub(super) async fn apply_objects(
    resource: &Pipeline,
    objects: Objects,
    context: &Context,
) -> Result<Deployment, OperatorError> {
    let name = object_name(&resource.name_any());
    let namespace = resource.namespace().unwrap_or_default();
    let client = &context.client;
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), &namespace);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
    let (config_map, budget, deployment) = (
        Patch::Apply(objects.config_map),
        Patch::Apply(objects.budget),
        Patch::Apply(objects.deployment),
    );
    let applied = config_maps.patch(&name, &apply_params(), &config_map).await;
    applied.map_err(OperatorError::at("apply the ConfigMap"))?;
    let applied = budgets.patch(&name, &apply_params(), &budget).await;
    applied.map_err(OperatorError::at("apply the PodDisruptionBudget"))?;
    if let Some(large) = objects.large {
        let name = large_name(&resource.name_any());
        let applied = deployments
            .patch(&name, &apply_params(), &Patch::Apply(large))
            .await;
        applied.map_err(OperatorError::at("apply the Deployment of large workers"))?;
    }
    let applied = deployments.patch(&name, &apply_params(), &deployment).await;
    applied.map_err(OperatorError::at("apply the Deployment"))
}

/// Removes the finalizer of earlier versions; finalizers of other owners stay.
pub(super) async fn remove_finalizer(
    resource: &Pipeline,
    context: &Context,
) -> Result<(), OperatorError> {
    let namespace = resource.namespace().unwrap_or_default();
    let pipelines: Api<Pipeline> = Api::namespaced(context.client.clone(), &namespace);
    let others = resource.finalizers().iter().filter(|it| *it != FINALIZER);
    let patch = Patch::Merge(json!({ "metadata": {
        "finalizers": others.collect::<Vec<_>>(),
        "resourceVersion": resource.resource_version(),
    } }));
    let patched = pipelines
        .patch_metadata(&resource.name_any(), &PatchParams::default(), &patch)
        .await;
    patched.map_err(OperatorError::at("remove the finalizer"))?;
    Ok(())
}

/// Writes the deletion cost of each pod.
pub(super) async fn set_deletion_costs(
    resource: &Pipeline,
    costs: &[(String, &'static str)],
    context: &Context,
) -> Result<(), OperatorError> {
    for (pod, cost) in costs {
        annotate(resource, pod, &json!({ DELETION_COST: cost }), context).await?;
    }
    Ok(())
}

/// Writes annotations of a pod; a null value removes one. A pod that was deleted meanwhile is skipped.
pub(super) async fn annotate(
    resource: &Pipeline,
    pod: &str,
    annotations: &Value,
    context: &Context,
) -> Result<(), OperatorError> {
    let namespace = resource.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
    let patched = pods
        .patch_metadata(pod, &PatchParams::default(), &patch)
        .await;
    match patched {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(OperatorError::at("mark a pod")(error)),
    }
}

/// Deletes a pod: the worker takes no more datums, and finishes running datums within the grace. A newer pod of the same
/// name is left alone.
pub(super) async fn delete_pod(
    resource: &Pipeline,
    pod: &Pod,
    context: &Context,
) -> Result<(), OperatorError> {
    let namespace = resource.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let only_this = DeleteParams::default().preconditions(Preconditions {
        uid: pod.uid(),
        resource_version: None,
    });
    match pods.delete(&pod.name_any(), &only_this).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(OperatorError::at("delete a pod of a node that goes")(error)),
    }
}

/// Writes the status if it changed, and publishes an event for each notable change.
pub(super) async fn update_status(
    resource: &Pipeline,
    outcome: &ReconcileOutcome<'_>,
    context: &Context,
) -> Result<(), OperatorError> {
    let before = resource.status.clone().unwrap_or_default();
    let now = Timestamp::now();
    let mut after = pipeline_status(
        outcome,
        &(context.link)(),
        &before,
        resource.metadata.generation,
        now,
    );
    if after == before && !heartbeat_is_due(&before, now) {
        return Ok(());
    }
    after.observed_at = Timestamp::from_second(now.as_second()).ok().map(Time);
    let namespace = resource.namespace().unwrap_or_default();
    let pipelines: Api<Pipeline> = Api::namespaced(context.client.clone(), &namespace);
    let patch = json!({
        "apiVersion": Pipeline::api_version(&()),
        "kind": Pipeline::kind(&()),
        "status": after,
    });
    let patched = pipelines
        .patch_status(&resource.name_any(), &apply_params(), &Patch::Apply(patch))
        .await;
    patched.map_err(OperatorError::at("update the status"))?;
    for event in events(&before, &after) {
        publish_event(resource, event, context).await;
    }
    Ok(())
}

/// True if the time of the last observation is too old, or was never written.
fn heartbeat_is_due(status: &PipelineStatus, now: Timestamp) -> bool {
    let observed_at = status.observed_at.as_ref();
    observed_at.is_none_or(|at| now.duration_since(at.0).abs() > HEARTBEAT)
}

/// Reports a failure of the store in the status, unless another operator leads now and writes the status.
pub(super) async fn store_failed(
    resource: &Pipeline,
    error: JobStoreError,
    context: &Context,
) -> OperatorError {
    context.health.store(Some(&error));
    if !matches!(error, JobStoreError::Superseded(_)) {
        let why = with_causes(&error);
        let outcome = ReconcileOutcome::StoreUnreachable(&why);
        if let Err(error) = update_status(resource, &outcome, context).await {
            return error;
        }
    }
    OperatorError::JobStore(error)
}

/// Publishes an event. A failure is only logged, because events are informational.
async fn publish_event(resource: &Pipeline, event: PipelineEvent, context: &Context) {
    let mut note = event.note;
    if note.len() > MAX_NOTE_BYTES {
        let end = (0..=MAX_NOTE_BYTES)
            .rev()
            .find(|end| note.is_char_boundary(*end));
        note.truncate(end.unwrap_or_default());
    }
    let event = Event {
        type_: if event.warns {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason: event.reason,
        note: Some(note),
        action: event.action.to_owned(),
        secondary: None,
    };
    if let Err(error) = context
        .recorder
        .publish(&event, &resource.object_ref(&()))
        .await
    {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "cannot publish an event");
    }
}
