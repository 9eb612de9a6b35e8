//! The controller: which changes lead to a look at which pipeline.

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

use super::{Context, reconcile, retry};
use crate::crd::Pipeline;
use crate::objects::PIPELINE_LABEL;
use crate::wanted::pipeline_name;

/// The most pipelines that are tended at the same time.
const AT_ONCE: u16 = 16;

/// Tends all pipelines of the namespace until `stop` resolves; looks that are under way then are finished.
///
/// `context` is made with the pipelines that the controller knows; `nodes` and `hints` are changes besides those of
/// the objects themselves.
pub async fn watch(
    client: Client,
    namespace: &str,
    context: impl FnOnce(Store<Pipeline>) -> Context,
    nodes: impl Stream<Item = ()> + Send + 'static,
    hints: impl Stream<Item = PipelineName> + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    // Those that were made by an operator, for a pipeline; there may be many others.
    let ours = || watcher::Config::default().labels(PIPELINE_LABEL);
    let of = |client: &Client| client.clone();
    let controller = Controller::new(
        Api::<Pipeline>::namespaced(of(&client), namespace),
        watcher::Config::default(),
    );
    let known = controller.store();
    let woken = known.clone();
    let stop = stop.shared();
    let in_vain = stopped_too_early(known.clone(), stop.clone());
    let running = controller
        .owns(
            Api::<Deployment>::namespaced(of(&client), namespace),
            ours(),
        )
        .owns(Api::<ConfigMap>::namespaced(of(&client), namespace), ours())
        .owns(
            Api::<PodDisruptionBudget>::namespaced(of(&client), namespace),
            ours(),
        )
        .watches(
            Api::<Pod>::namespaced(of(&client), namespace),
            ours(),
            owner_of,
        )
        .reconcile_all_on(nodes)
        .reconcile_on(hints.filter_map(move |name| std::future::ready(bearer(&woken, &name))))
        .with_config(controller::Config::default().concurrency(AT_ONCE))
        .graceful_shutdown_on(stop)
        .run(reconcile, retry, Arc::new(context(known)));
    let working = running.for_each(|looked| {
        // What went wrong with a pipeline was told by `retry`.
        if let Err(error @ controller::Error::QueueError(_)) = &looked {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "a watch was interrupted"
            );
        }
        std::future::ready(())
    });
    tokio::select! {
        () = working => {}
        () = in_vain => {}
    }
}

/// Resolves if it is to stop before the pipelines were seen: no look is under way then, and a controller that watches no
/// more would wait for its first list for ever.
async fn stopped_too_early(known: Store<Pipeline>, stop: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = known.wait_until_ready() => std::future::pending().await,
        () = stop => {}
    }
}

/// The pipeline whose pod it is: pods belong to a `ReplicaSet`, so only their label tells.
#[expect(clippy::needless_pass_by_value, reason = "the controller passes it so")]
fn owner_of(pod: Pod) -> Option<ObjectRef<Pipeline>> {
    let name = pod.labels().get(PIPELINE_LABEL)?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

/// The resource of a pipeline.
fn bearer(known: &Store<Pipeline>, name: &PipelineName) -> Option<ObjectRef<Pipeline>> {
    let bearer = known.find(|resource| pipeline_name(resource) == name.as_str())?;
    Some(ObjectRef::from_obj(bearer.as_ref()))
}
