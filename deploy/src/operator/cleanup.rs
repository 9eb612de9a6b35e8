//! Cleanup of a deleted resource: delete the pipeline from the store, stop its jobs, then let the garbage collector
//! remove the objects.

use std::time::Duration;

use drover_shared::id::PipelineName;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::write::{store_failed, update_status};
use super::{Context, OperatorError};
use crate::crd::Pipeline;
use crate::desired::pipeline_name;
use crate::status::{ACCEPTED, REGISTERED, ReconcileOutcome};

/// Time to wait for stopped jobs. Without a running `drover serve` they remain unfinished until one starts.
const JOBS_END_TIMEOUT: Duration = Duration::from_mins(2);

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
    if open > 0 && !has_timed_out(resource, Timestamp::now()) {
        update_status(resource, &ReconcileOutcome::Deleting(open), context).await?;
        return Err(OperatorError::JobsOpen(open));
    }
    tracing::info!(
        pipeline.name = resource.name_any(),
        "pipeline unregistered; {open} of its jobs have not finished"
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

fn has_timed_out(resource: &Pipeline, now: Timestamp) -> bool {
    let since = resource.metadata.deletion_timestamp.as_ref();
    let timeout = SignedDuration::try_from(JOBS_END_TIMEOUT).unwrap_or(SignedDuration::MAX);
    since.is_some_and(|since| now.duration_since(since.0) > timeout)
}
