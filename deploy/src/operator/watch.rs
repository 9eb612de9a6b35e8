//! The controller: maps changes in the cluster to reconciliations.

use std::future::Future;
use std::sync::Arc;

use drover_shared::id::PipelineName;
use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::Controller;
use kube::runtime::controller;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use super::orphans::remove_orphans;
use super::{Context, reconcile, retry};
use crate::crd::Pipeline;
use crate::desired::pipeline_name;
use crate::health::Health;
use crate::objects::PIPELINE_LABEL;

/// Maximum number of concurrent reconciliations.
const CONCURRENCY: u16 = 16;

/// Reconciles all pipelines of the namespace until `stop` resolves; running reconciliations then finish.
///
/// `context` is built with the controller's store of pipelines. `nodes` and `hints` are triggers besides the watched
/// objects.
pub async fn watch(
    client: Client,
    namespace: &str,
    context: impl FnOnce(Store<Pipeline>) -> Context,
    nodes: impl Stream<Item = ()> + Send + 'static,
    hints: impl Stream<Item = PipelineName> + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    // Only objects with the operator's label; the namespace may hold many others.
    let operator_owned = || watcher::Config::default().labels(PIPELINE_LABEL);
    let of = |client: &Client| client.clone();
    let controller = Controller::new(
        Api::<Pipeline>::namespaced(of(&client), namespace),
        watcher::Config::default(),
    );
    let pipelines = controller.store();
    let by_name = pipelines.clone();
    let stop = stop.shared();
    let context = Arc::new(context(pipelines.clone()));
    let health = Arc::clone(&context.health);
    let listing = report_first_list(pipelines.clone(), Arc::clone(&health));
    let (for_orphans, removing) = (Arc::clone(&context), stop.clone());
    let orphans = async move {
        tokio::select! {
            never = remove_orphans(&for_orphans) => match never {},
            // The controller ends by itself.
            () = removing => std::future::pending().await,
        }
    };
    let never_started = stopped_too_early(pipelines.clone(), stop.clone());
    let running = controller
        .owns(
            Api::<Deployment>::namespaced(of(&client), namespace),
            operator_owned(),
        )
        .owns(
            Api::<ConfigMap>::namespaced(of(&client), namespace),
            operator_owned(),
        )
        .owns(
            Api::<PodDisruptionBudget>::namespaced(of(&client), namespace),
            operator_owned(),
        )
        .watches(
            Api::<Pod>::namespaced(of(&client), namespace),
            operator_owned(),
            owner_of,
        )
        .reconcile_all_on(nodes)
        .reconcile_on(
            hints.filter_map(move |name| std::future::ready(resource_of(&by_name, &name))),
        )
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop)
        .run(reconcile, retry, context);
    let working = running.for_each(|result| {
        // `retry` has already logged the failure of a reconciliation.
        if let Err(error @ controller::Error::QueueError(_)) = &result {
            health.watch_failed(error);
            tracing::warn!(error = error as &dyn std::error::Error, "watch interrupted");
        }
        std::future::ready(())
    });
    tokio::select! {
        () = working => {}
        () = never_started => {}
        () = listing => {}
        () = orphans => {}
    }
}

/// Reports to `/ready` if the first list of pipelines has arrived; never resolves.
async fn report_first_list(pipelines: Store<Pipeline>, health: Arc<Health>) {
    health.pipelines_listed(false);
    if pipelines.wait_until_ready().await.is_ok() {
        health.pipelines_listed(true);
    }
    std::future::pending::<()>().await;
}

/// Resolves if `stop` resolves before the first list of pipelines. No reconciliation is running then, and a controller
/// without a watch would wait for its first list forever.
async fn stopped_too_early(pipelines: Store<Pipeline>, stop: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = pipelines.wait_until_ready() => std::future::pending().await,
        () = stop => {}
    }
}

/// The pipeline of a pod. Pods are owned by a `ReplicaSet`, so only the label names the pipeline.
#[expect(clippy::needless_pass_by_value, reason = "the controller passes it so")]
fn owner_of(pod: Pod) -> Option<ObjectRef<Pipeline>> {
    let name = pod.labels().get(PIPELINE_LABEL)?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

/// The resource of a pipeline.
fn resource_of(pipelines: &Store<Pipeline>, name: &PipelineName) -> Option<ObjectRef<Pipeline>> {
    let resource = pipelines.find(|resource| pipeline_name(resource) == name.as_str())?;
    Some(ObjectRef::from_obj(resource.as_ref()))
}
