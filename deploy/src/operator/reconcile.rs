//! One reconciliation of one pipeline.

use std::sync::Arc;
use std::time::Instant;

use kube::runtime::controller::Action;
use kube::runtime::finalizer::{Event, finalizer};
use kube::{Api, ResourceExt};

use super::apply::{accept, apply};
use super::cleanup::cleanup;
use super::{Context, OperatorError};
use crate::crd::Pipeline;
use crate::metrics;

/// Keeps a resource until its pipeline is deleted from the store; a resource without a pipeline there has none.
pub const FINALIZER: &str = "drover.dev/pipeline";

/// Reconciles one resource: applies its desired state, or cleans up if the resource is being deleted.
pub async fn reconcile(
    resource: Arc<Pipeline>,
    context: Arc<Context>,
) -> Result<Action, OperatorError> {
    let started = Instant::now();
    let uid = resource.uid().unwrap_or_default();
    let namespace = resource.namespace().unwrap_or_default();
    let api: Api<Pipeline> = Api::namespaced(context.client.clone(), &namespace);
    let shared = Arc::clone(&context);
    let result = match next_step(&resource, &context)? {
        NextStep::Nothing => Ok(Action::await_change()),
        NextStep::Refuse => Box::pin(apply(&resource, &context)).await,
        NextStep::Hold => {
            let result = finalizer(&api, FINALIZER, resource, |event| async move {
                match event {
                    Event::Apply(resource) => Box::pin(apply(&resource, &shared)).await,
                    Event::Cleanup(resource) => cleanup(&resource, &shared).await,
                }
            });
            result.await.map_err(OperatorError::from)
        }
    };
    if result.is_ok() {
        context.failures.forget(&uid);
    }
    metrics::reconciled(
        result.as_ref().err().map(OperatorError::kind),
        started.elapsed(),
    );
    result
}

/// The next step for a resource.
enum NextStep {
    /// The resource is being deleted, and its pipeline was never registered.
    Nothing,
    /// The resource is refused, and its pipeline was never registered.
    Refuse,
    /// The pipeline is, or will be, registered in the store, so the finalizer holds the resource.
    Hold,
}

fn next_step(resource: &Pipeline, context: &Context) -> Result<NextStep, OperatorError> {
    let is_held = resource.finalizers().iter().any(|it| it == FINALIZER);
    if is_held {
        return Ok(NextStep::Hold);
    }
    if resource.metadata.deletion_timestamp.is_some() {
        return Ok(NextStep::Nothing);
    }
    let accepted = accept(resource, context)?;
    Ok(accepted.map_or(NextStep::Refuse, |_| NextStep::Hold))
}

/// The back-off after a failure.
#[expect(clippy::needless_pass_by_value, reason = "the controller passes it so")]
pub fn retry(resource: Arc<Pipeline>, error: &OperatorError, context: Arc<Context>) -> Action {
    let failures = context.failures.count(&resource.uid().unwrap_or_default());
    let pause = error.pause(failures);
    tracing::warn!(
        pipeline.name = resource.name_any(),
        error = error as &dyn std::error::Error,
        "reconciliation failed; retrying in {pause:.1?}"
    );
    Action::requeue(pause)
}
