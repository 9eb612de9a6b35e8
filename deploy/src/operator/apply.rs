//! What the operator changes in the cluster.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::{Context, OperatorError};
use crate::crd::Pipeline;
use crate::crew::COST;
use crate::objects::{MANAGER, Objects, object_name};
use crate::status::{Facts, News, news, tell};

/// The most of a note that the API server takes.
const LONGEST_NOTE: usize = 1024;

/// Fields that are ours are taken back from whoever changed them.
fn ours() -> PatchParams {
    PatchParams::apply(MANAGER).force()
}

/// Applies the objects of a pipeline; what is so already stays untouched. Returns the Deployment as it is now.
pub(super) async fn apply(
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
    let applied = config_maps.patch(&name, &ours(), &config_map).await;
    applied.map_err(OperatorError::at("apply the ConfigMap"))?;
    let applied = budgets.patch(&name, &ours(), &budget).await;
    applied.map_err(OperatorError::at("apply the PodDisruptionBudget"))?;
    let applied = deployments.patch(&name, &ours(), &deployment).await;
    applied.map_err(OperatorError::at("apply the Deployment"))
}

/// Writes down what the removal of each pod costs. One that is gone costs nothing any more.
pub(super) async fn set_costs(
    resource: &Pipeline,
    costs: &[(String, &'static str)],
    context: &Context,
) -> Result<(), OperatorError> {
    let namespace = resource.namespace().unwrap_or_default();
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    for (pod, cost) in costs {
        let patch = json!({ "metadata": { "annotations": { COST: cost } } });
        match pods
            .patch_metadata(pod, &PatchParams::default(), &Patch::Merge(patch))
            .await
        {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => return Err(OperatorError::at("mark a pod")(error)),
        }
    }
    Ok(())
}

/// Brings the status up to date, if there is anything new to say, and tells what is news.
pub(super) async fn tell_all(
    resource: &Pipeline,
    facts: &Facts<'_>,
    context: &Context,
) -> Result<(), OperatorError> {
    let before = resource.status.clone().unwrap_or_default();
    let after = tell(
        facts,
        &(context.link)(),
        &before,
        resource.metadata.generation,
        Timestamp::now(),
    );
    if after == before {
        return Ok(());
    }
    let namespace = resource.namespace().unwrap_or_default();
    let pipelines: Api<Pipeline> = Api::namespaced(context.client.clone(), &namespace);
    let patch = json!({
        "apiVersion": Pipeline::api_version(&()),
        "kind": Pipeline::kind(&()),
        "status": after,
    });
    let told = pipelines
        .patch_status(&resource.name_any(), &ours(), &Patch::Apply(patch))
        .await;
    told.map_err(OperatorError::at("update the status"))?;
    for each in news(&before, &after) {
        publish(resource, each, context).await;
    }
    Ok(())
}

/// An event is for people; that it can't be published stops nothing.
async fn publish(resource: &Pipeline, news: News, context: &Context) {
    let mut note = news.note;
    if note.len() > LONGEST_NOTE {
        let end = (0..=LONGEST_NOTE)
            .rev()
            .find(|end| note.is_char_boundary(*end));
        note.truncate(end.unwrap_or_default());
    }
    let event = Event {
        type_: if news.warns {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason: news.reason,
        note: Some(note),
        action: news.action.to_owned(),
        secondary: None,
    };
    if let Err(error) = context
        .recorder
        .publish(&event, &resource.object_ref(&()))
        .await
    {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "an event could not be published");
    }
}
