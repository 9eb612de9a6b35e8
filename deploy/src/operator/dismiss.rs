//! Letting a pipeline go: out of the store first, its jobs stopped, and then its objects, which the garbage collector
//! takes with the resource.

use std::time::Duration;

use drover_shared::id::PipelineName;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::apply::tell_all;
use super::error::chain;
use super::{Context, OperatorError};
use crate::crd::Pipeline;
use crate::status::{ACCEPTED, Facts, REGISTERED};
use crate::wanted::pipeline_name;

/// How long stopped jobs are waited for. Where no `drover serve` runs nobody ends them; the next one does.
const PATIENCE: Duration = Duration::from_mins(2);

/// Removes the pipeline of a resource that is being deleted. Done when it returns `Ok`; the resource goes then.
pub(super) async fn dismiss(
    resource: &Pipeline,
    context: &Context,
) -> Result<Action, OperatorError> {
    // A resource that was refused has no pipeline; another one may have that of its name.
    if was_never_accepted(resource) {
        return Ok(Action::await_change());
    }
    let open = match pipeline_name(resource).parse() {
        Ok(name) => fell(&name, resource, context).await?,
        Err(_) => 0,
    };
    if open > 0 && !is_out_of_patience(resource, Timestamp::now()) {
        tell_all(resource, &Facts::Ending(open), context).await?;
        return Err(OperatorError::JobsOpen(open));
    }
    tracing::info!(
        pipeline.name = resource.name_any(),
        "the pipeline is removed; {open} of its jobs have not ended"
    );
    Ok(Action::await_change())
}

async fn fell(
    name: &PipelineName,
    resource: &Pipeline,
    context: &Context,
) -> Result<u64, OperatorError> {
    match context.books.fell(name).await {
        Ok(open) => Ok(open),
        Err(error) => {
            tell_all(resource, &Facts::StoreLost(&chain(&error)), context).await?;
            Err(OperatorError::Books(error))
        }
    }
}

/// Not if nothing is known of it: its operator may have been killed before it could say anything.
fn was_never_accepted(resource: &Pipeline) -> bool {
    let conditions = resource.status.as_ref().map(|status| &status.conditions);
    let conditions = || conditions.into_iter().flatten();
    let is_refused = conditions().any(|it| it.type_ == ACCEPTED && it.status == "False");
    is_refused && !conditions().any(|it| it.type_ == REGISTERED)
}

fn is_out_of_patience(resource: &Pipeline, now: Timestamp) -> bool {
    let since = resource.metadata.deletion_timestamp.as_ref();
    let patience = SignedDuration::try_from(PATIENCE).unwrap_or(SignedDuration::MAX);
    since.is_some_and(|since| now.duration_since(since.0) > patience)
}
