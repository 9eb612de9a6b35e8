//! One reconciliation of one pipeline.

use std::sync::Arc;
use std::time::Instant;

use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::apply::apply;
use super::write::remove_finalizer;
use super::{Context, OperatorError};
use crate::crd::Pipeline;
use crate::metrics;

/// The finalizer of earlier versions, which is removed: a resource must not wait for an operator.
pub const FINALIZER: &str = "drover.dev/pipeline";

/// Reconciles one resource. The pipeline of a deleted resource is removed by [`super::orphans`].
pub async fn reconcile(
    resource: Arc<Pipeline>,
    context: Arc<Context>,
) -> Result<Action, OperatorError> {
    let started = Instant::now();
    let uid = resource.uid().unwrap_or_default();
    let result = Box::pin(step(&resource, &context)).await;
    if result.is_ok() {
        context.failures.forget(&uid);
    }
    metrics::reconciled(
        result.as_ref().err().map(OperatorError::kind),
        started.elapsed(),
    );
    result
}

async fn step(resource: &Pipeline, context: &Context) -> Result<Action, OperatorError> {
    if resource.finalizers().iter().any(|it| it == FINALIZER) {
        remove_finalizer(resource, context).await?;
    }
    if resource.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    apply(resource, context).await
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
