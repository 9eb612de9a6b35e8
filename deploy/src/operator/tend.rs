//! Tending a pipeline: understood, handed over, observed, planned, carried out, told.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Api, Resource, ResourceExt};

use super::apply::{apply, set_costs, tell_all};
use super::error::chain;
use super::{Context, OperatorError};
use crate::books::{BooksError, Work};
use crate::crd::Pipeline;
use crate::crew::{Standing, ask_all, costs_to_set};
use crate::objects::{Objects, Recipe, object_name, objects, pods_of};
use crate::plan::{Fit, Observed, Plan, Scale, plan};
use crate::status::{Facts, Refusal, Seen};
use crate::wanted::{Wanted, pipeline_name, wanted};

/// How often a pipeline with unfinished jobs is looked at; hints and watches make it quicker.
const WORKING: Duration = Duration::from_secs(5);
/// How often one without.
const RESTING: Duration = Duration::from_secs(15);

/// What there is of a pipeline in the cluster.
struct There {
    deployment: Option<Deployment>,
    pods: Vec<Pod>,
}

/// Tends a pipeline whose resource is not being deleted.
pub(super) async fn tend(resource: &Pipeline, context: &Context) -> Result<Action, OperatorError> {
    let (wanted, objects) = match accept(resource, context)? {
        Ok(accepted) => accepted,
        Err(refusal) => {
            tell_all(resource, &Facts::Refused(&refusal), context).await?;
            // Whoever has the name may give it back.
            return Ok(Action::requeue(RESTING));
        }
    };
    let work = match hand_over(resource, &wanted, context).await {
        Ok(work) => work,
        Err(error) => {
            tell_all(resource, &Facts::StoreLost(&chain(&error)), context).await?;
            return Err(OperatorError::Books(error));
        }
    };
    let there = look(resource, context).await?;
    let plan = decide(resource, &wanted, &work, &there, context).await?;
    let applied = apply(resource, objects.scaled(plan.replicas), context).await;
    if let Some(why) = applied.as_ref().err().and_then(OperatorError::refusal) {
        tell_all(resource, &Facts::NotTaken(&why), context).await?;
    }
    let deployment = applied?;
    let seen = Seen {
        deployment: Some(&deployment),
        pods: &there.pods,
        work: &work,
        plan: &plan,
        nodes_hidden: context.nodes.are_hidden() && wanted.counts_nodes(),
        notes: &wanted.notes,
    };
    tell_all(resource, &Facts::Seen(seen), context).await?;
    let usual = if work.unfinished_jobs > 0 {
        WORKING
    } else {
        RESTING
    };
    Ok(Action::requeue(
        plan.again_in.map_or(usual, |wait| usual.min(wait)),
    ))
}

/// What the resource asks for and the objects that it takes, without workers as yet.
fn accept(
    resource: &Pipeline,
    context: &Context,
) -> Result<Result<(Wanted, Objects), Refusal>, OperatorError> {
    let owner = resource
        .controller_owner_ref(&())
        .ok_or(OperatorError::Nameless)?;
    Ok(understand(resource, &owner, context))
}

fn understand(
    resource: &Pipeline,
    owner: &OwnerReference,
    context: &Context,
) -> Result<(Wanted, Objects), Refusal> {
    if let Some(by) = elder(resource, &context.pipelines) {
        return Err(Refusal::NameTaken {
            pipeline: pipeline_name(resource),
            by,
        });
    }
    let wanted = wanted(resource).map_err(Refusal::InvalidSpec)?;
    let recipe = Recipe {
        name: &resource.name_any(),
        namespace: &resource.namespace().unwrap_or_default(),
        owner,
        wanted: &wanted,
        workers: &context.workers,
    };
    let made = objects(&recipe).map_err(|error| Refusal::InvalidSpec(vec![error.to_string()]));
    made.map(|objects| (wanted, objects))
}

/// The resource that had this one's pipeline before it, by name.
fn elder(resource: &Pipeline, all: &Store<Pipeline>) -> Option<String> {
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

/// Hands the pipeline to `drover serve`, and asks what is still to be done of it.
async fn hand_over(
    resource: &Pipeline,
    wanted: &Wanted,
    context: &Context,
) -> Result<Work, BooksError> {
    let name = &wanted.pipeline.name;
    let told = resource
        .status
        .as_ref()
        .and_then(|status| status.last_job.as_ref());
    let told = told.and_then(|job| job.id.parse().ok());
    context.books.stand(name, &wanted.spec).await?;
    context.books.work(name, told).await
}

async fn look(resource: &Pipeline, context: &Context) -> Result<There, OperatorError> {
    let (name, namespace) = (
        resource.name_any(),
        resource.namespace().unwrap_or_default(),
    );
    let deployments: Api<Deployment> = Api::namespaced(context.client.clone(), &namespace);
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    // From the API server's memory: a moment old is new enough.
    let of_pipeline = ListParams::default().labels(&pods_of(&name)).match_any();
    let deployment = deployments.get_opt(&object_name(&name)).await;
    let listed = pods.list(&of_pipeline).await;
    Ok(There {
        deployment: deployment.map_err(OperatorError::at("look for the Deployment"))?,
        pods: listed.map_err(OperatorError::at("list the pods"))?.items,
    })
}

/// Plans; before workers go, asks them who is idle, plans with that, and marks who is to go first.
async fn decide(
    resource: &Pipeline,
    wanted: &Wanted,
    work: &Work,
    there: &There,
    context: &Context,
) -> Result<Plan, OperatorError> {
    let scale = Scale::of(&wanted.pipeline);
    let observed = observe(resource, wanted, work, there, context);
    let now = Timestamp::now();
    let first = plan(&scale, &observed, now);
    let goes = observed
        .wanted
        .is_some_and(|wanted| first.replicas < wanted);
    if !goes || first.replicas == 0 {
        return Ok(first);
    }
    let standings = ask_all(context.crew.as_ref(), &there.pods).await;
    let busy = standings
        .values()
        .filter(|it| **it == Standing::Busy)
        .count();
    let busy = u32::try_from(busy).unwrap_or(u32::MAX);
    let planned = plan(&scale, &Observed { busy, ..observed }, now);
    if observed
        .wanted
        .is_some_and(|wanted| planned.replicas < wanted)
    {
        let costs = costs_to_set(&there.pods, &standings);
        set_costs(resource, &costs, context).await?;
    }
    Ok(planned)
}

fn observe(
    resource: &Pipeline,
    wanted: &Wanted,
    work: &Work,
    there: &There,
    context: &Context,
) -> Observed {
    let deployment = there
        .deployment
        .as_ref()
        .and_then(|deployment| deployment.spec.as_ref());
    let replicas = deployment.and_then(|spec| spec.replicas);
    let idle_since = resource
        .status
        .as_ref()
        .and_then(|status| status.idle_since.as_ref());
    Observed {
        nodes: context.nodes.fitting(&Fit::of(&wanted.pods)),
        unfinished_jobs: work.unfinished_jobs,
        outstanding: work.outstanding,
        wanted: replicas.and_then(|replicas| u32::try_from(replicas).ok()),
        busy: 0,
        idle_since: idle_since.map(|since| since.0),
    }
}
