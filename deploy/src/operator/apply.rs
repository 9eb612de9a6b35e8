//! Applies the desired state of a pipeline: parse, register, observe, plan, write the objects, report.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Api, Resource, ResourceExt};

use super::write::{
    annotate, apply_objects, delete_pod, set_deletion_costs, store_failed, update_status,
};
use super::{Context, OperatorError};
use crate::crd::Pipeline;
use crate::desired::{DesiredPipeline, desired_pipeline, pipeline_name};
use crate::job_store::{JobBacklog, JobStoreError};
use crate::objects::{
    InvalidPod, ObjectInput, Objects, WorkerClass, all_pods_of, large_deployment, object_name,
    objects,
};
use crate::plan::{
    self, NodeFit, ScalingInput, ScalingPlan, ScalingRules, out_of_memory, plan, pods_to_leave,
};
use crate::status::{ReconcileOutcome, RunningPipeline, SpecRefusal};
use crate::worker_probe::{
    WorkerLoad, costs_to_set, is_any_protected, probe_all, protection_changes,
};

/// Reconcile interval of a pipeline with unfinished jobs; hints and watches trigger earlier.
const BUSY_INTERVAL: Duration = Duration::from_secs(5);
/// Reconcile interval of an idle pipeline.
const IDLE_INTERVAL: Duration = Duration::from_secs(15);

/// The pipeline's objects in the cluster.
struct ClusterObjects {
    deployment: Option<Deployment>,
    pods: Vec<Pod>,
}

/// Reconciles a resource that is not being deleted.
pub(super) async fn apply(resource: &Pipeline, context: &Context) -> Result<Action, OperatorError> {
    let (desired, objects) = match accept(resource, context)? {
        Ok(accepted) => accepted,
        Err(refusal) => {
            update_status(resource, &ReconcileOutcome::Refused(&refusal), context).await?;
            // The resource with the same pipeline name may be deleted.
            return Ok(Action::requeue(IDLE_INTERVAL));
        }
    };
    let backlog = match register(resource, &desired, context).await {
        Ok(backlog) => {
            context.health.store(None);
            backlog
        }
        Err(error) => return Err(store_failed(resource, error, context).await),
    };
    let existing = read_objects(resource, context).await?;
    leave_nodes(resource, &existing.pods, context).await?;
    let plan = decide(resource, &desired, &backlog, &existing, context).await?;
    let large = match large_workers(&desired, &existing.pods, &plan, context).await {
        Ok(large) => large,
        Err(error) => return Err(store_failed(resource, error, context).await),
    };
    let scaled = objects.scaled(plan.replicas).with_large(large);
    let large_replicas = scaled.large.is_some().then_some(large);
    let applied = apply_objects(resource, scaled, context).await;
    if let Some(why) = applied.as_ref().err().and_then(OperatorError::refusal) {
        update_status(resource, &ReconcileOutcome::ObjectsRefused(&why), context).await?;
    }
    let deployment = applied?;
    let running = RunningPipeline {
        name: &resource.name_any(),
        is_paused: desired.replicas == Some(0),
        deployment: Some(&deployment),
        pods: &existing.pods,
        work: &backlog,
        plan: &plan,
        large_replicas,
        unready_nodes: &context.nodes.unready(),
        link: &(context.link)(),
        nodes_hidden: context.nodes.are_hidden() && desired.counts_nodes(),
        pod_is_changed: desired.pods.is_patched(),
        notes: &desired.notes,
    };
    update_status(resource, &ReconcileOutcome::Running(running), context).await?;
    let usual = if backlog.unfinished_jobs > 0 {
        BUSY_INTERVAL
    } else {
        IDLE_INTERVAL
    };
    Ok(Action::requeue(
        plan.again_in.map_or(usual, |wait| usual.min(wait)),
    ))
}

/// The parsed resource and its objects, scaled to zero.
pub(super) fn accept(
    resource: &Pipeline,
    context: &Context,
) -> Result<Result<(DesiredPipeline, Objects), SpecRefusal>, OperatorError> {
    let owner = resource
        .controller_owner_ref(&())
        .ok_or(OperatorError::Nameless)?;
    Ok(parse(resource, &owner, context))
}

fn parse(
    resource: &Pipeline,
    owner: &OwnerReference,
    context: &Context,
) -> Result<(DesiredPipeline, Objects), SpecRefusal> {
    if let Some(by) = older_resource(resource, &context.pipelines) {
        return Err(SpecRefusal::NameTaken {
            pipeline: pipeline_name(resource),
            by,
        });
    }
    let desired = desired_pipeline(resource).map_err(SpecRefusal::InvalidSpec)?;
    let input = ObjectInput {
        name: &resource.name_any(),
        namespace: &resource.namespace().unwrap_or_default(),
        owner,
        desired: &desired,
        workers: &context.workers,
        class: WorkerClass::Usual,
    };
    let built = build(&input, had_large_workers(resource));
    let built = built.map_err(|error| SpecRefusal::InvalidSpec(vec![error.to_string()]));
    built.map(|objects| (desired, objects))
}

/// All objects. Large workers that the spec wants no more are still to be scaled to zero.
fn build(input: &ObjectInput<'_>, had_large_workers: bool) -> Result<Objects, InvalidPod> {
    let has_large = input.desired.pods.max_memory.is_some() || had_large_workers;
    let large = has_large.then(|| large_deployment(input)).transpose()?;
    Ok(Objects {
        large,
        ..objects(input)?
    })
}

fn had_large_workers(resource: &Pipeline) -> bool {
    let status = resource.status.as_ref();
    status.is_some_and(|status| status.large_replicas.is_some())
}

/// Tells the store of containers that were killed for want of memory, and returns the number of large workers that the datums need.
async fn large_workers(
    desired: &DesiredPipeline,
    pods: &[Pod],
    usual: &ScalingPlan,
    context: &Context,
) -> Result<u32, JobStoreError> {
    let (name, store) = (&desired.pipeline.name, &context.job_store);
    let killed: Vec<_> = pods.iter().filter_map(out_of_memory).collect();
    store.note_out_of_memory(name, &killed).await?;
    if desired.pods.max_memory.is_none() {
        return Ok(0);
    }
    let in_need = store.in_need(name).await?;
    Ok(plan::large_workers(in_need, usual.replicas))
}

/// The name of an older resource with the same pipeline name.
fn older_resource(resource: &Pipeline, all: &Store<Pipeline>) -> Option<String> {
    let name = pipeline_name(resource);
    let age = |it: &Pipeline| (it.creation_timestamp(), it.uid());
    let mut others = all.state();
    others.retain(|other| {
        other.namespace() == resource.namespace()
            && pipeline_name(other) == name
            && age(other) < age(resource)
    });
    others.first().map(|other| other.name_any())
}

/// Registers the pipeline for `drover serve`, and reads its unfinished backlog.
async fn register(
    resource: &Pipeline,
    desired: &DesiredPipeline,
    context: &Context,
) -> Result<JobBacklog, JobStoreError> {
    let name = &desired.pipeline.name;
    let last_reported = resource
        .status
        .as_ref()
        .and_then(|status| status.last_job.as_ref());
    let last_reported = last_reported.and_then(|job| job.id.parse().ok());
    let registering = context.registered.turn.read().await;
    context.job_store.register(name, &desired.spec).await?;
    context.registered.note(name.clone());
    drop(registering);
    context.job_store.backlog(name, last_reported).await
}

async fn read_objects(
    resource: &Pipeline,
    context: &Context,
) -> Result<ClusterObjects, OperatorError> {
    let (name, namespace) = (
        resource.name_any(),
        resource.namespace().unwrap_or_default(),
    );
    let deployments: Api<Deployment> = Api::namespaced(context.client.clone(), &namespace);
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    // Served from the API server's cache; slightly stale data is sufficient.
    let of_pipeline = ListParams::default()
        .labels(&all_pods_of(&name))
        .match_any();
    let deployment = deployments.get_opt(&object_name(&name)).await;
    let listed = pods.list(&of_pipeline).await;
    Ok(ClusterObjects {
        deployment: deployment.map_err(OperatorError::at("look for the Deployment"))?,
        pods: listed.map_err(OperatorError::at("list the pods"))?.items,
    })
}

/// Deletes the pods on nodes with an announced end, so the workers take no more datums.
async fn leave_nodes(
    resource: &Pipeline,
    pods: &[Pod],
    context: &Context,
) -> Result<(), OperatorError> {
    let going = context.nodes.going();
    for pod in pods_to_leave(pods, &going) {
        tracing::info!(
            pod.name = pod.name_any(),
            "the node of a worker goes; the worker stops"
        );
        delete_pod(resource, pod, context).await?;
    }
    Ok(())
}

/// Computes the plan, with the busy workers. Protects busy pods, and marks idle pods to be removed first by a scale-in.
async fn decide(
    resource: &Pipeline,
    desired: &DesiredPipeline,
    backlog: &JobBacklog,
    existing: &ClusterObjects,
    context: &Context,
) -> Result<ScalingPlan, OperatorError> {
    let scale = ScalingRules::of(&desired.pipeline, desired.replicas);
    let observed = observe(resource, desired, backlog, existing, context);
    let now = Timestamp::now();
    let first = plan(&scale, &observed, now);
    let scales_in = |plan: &ScalingPlan| observed.desired.is_some_and(|it| plan.replicas < it);
    let has_work = backlog.unfinished_jobs > 0;
    if !has_work && !is_any_protected(&existing.pods) && (!scales_in(&first) || first.replicas == 0)
    {
        return Ok(first);
    }
    let loads = probe_all(context.worker_probe.as_ref(), &existing.pods).await;
    let own = &desired.pods.metadata.annotations;
    for (pod, change) in protection_changes(&existing.pods, &loads, own) {
        annotate(resource, &pod, &change.into(), context).await?;
    }
    let busy = loads.values().filter(|it| **it == WorkerLoad::Busy).count();
    let busy = u32::try_from(busy).unwrap_or(u32::MAX);
    let planned = plan(&scale, &ScalingInput { busy, ..observed }, now);
    if scales_in(&planned) && planned.replicas > 0 {
        let costs = costs_to_set(&existing.pods, &loads);
        set_deletion_costs(resource, &costs, context).await?;
    }
    Ok(planned)
}

fn observe(
    resource: &Pipeline,
    desired: &DesiredPipeline,
    backlog: &JobBacklog,
    existing: &ClusterObjects,
    context: &Context,
) -> ScalingInput {
    let deployment = existing
        .deployment
        .as_ref()
        .and_then(|deployment| deployment.spec.as_ref());
    let replicas = deployment.and_then(|spec| spec.replicas);
    let idle_since = resource
        .status
        .as_ref()
        .and_then(|status| status.idle_since.as_ref());
    ScalingInput {
        nodes: context.nodes.fitting(&NodeFit::of(&desired.pods)),
        unfinished_jobs: backlog.unfinished_jobs,
        outstanding: backlog.outstanding,
        desired: replicas.and_then(|replicas| u32::try_from(replicas).ok()),
        busy: 0,
        idle_since: idle_since.map(|since| since.0),
    }
}
