//! Cleanup of a deleted resource: delete the pipeline from the store and ask its jobs to stop, then let the garbage
//! collector remove the objects.
//!
//! The operator does not wait for the jobs: the request to stop is in the store, where the next
//! `drover serve` finds the request. So a resource goes at once, also where the operator goes soon after, as with a namespace.

use drover_shared::id::PipelineName;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::write::store_failed;
use super::{Context, OperatorError};
use crate::crd::Pipeline;
use crate::desired::pipeline_name;
use crate::status::{ACCEPTED, REGISTERED};

/// Removes the pipeline of a resource that is being deleted. The finalizer is removed after `Ok`.
pub(super) async fn cleanup(
    resource: &Pipeline,
    context: &Context,
) -> Result<Action, OperatorError> {
    // A refused resource has registered no pipeline; another resource may own the pipeline of that name.
    if was_never_accepted(resource) {
        return Ok(Action::await_change());
    }
    let open = match pipeline_name(resource).parse() {
        Ok(name) => unregister(&name, resource, context).await?,
        Err(_) => 0,
    };
    tracing::info!(
        pipeline.name = resource.name_any(),
        "pipeline unregistered; {open} unfinished jobs are asked to stop"
    );
    Ok(Action::await_change())
}

async fn unregister(
    name: &PipelineName,
    resource: &Pipeline,
    context: &Context,
) -> Result<u64, OperatorError> {
    match context.job_store.unregister(name).await {
        Ok(open) => {
            context.health.store(None);
            Ok(open)
        }
        Err(error) => Err(store_failed(resource, error, context).await),
    }
}

/// False if the status is empty: the operator may have died before it wrote a status.
fn was_never_accepted(resource: &Pipeline) -> bool {
    let conditions = resource.status.as_ref().map(|status| &status.conditions);
    let conditions = || conditions.into_iter().flatten();
    let is_refused = conditions().any(|it| it.type_ == ACCEPTED && it.status == "False");
    is_refused && !conditions().any(|it| it.type_ == REGISTERED)
}
