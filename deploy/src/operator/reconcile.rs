//! One look at one pipeline.

use std::sync::Arc;
use std::time::Instant;

use kube::runtime::controller::Action;
use kube::runtime::finalizer::{Event, finalizer};
use kube::{Api, ResourceExt};

use super::dismiss::dismiss;
use super::tend::tend;
use super::{Context, OperatorError};
use crate::crd::Pipeline;
use crate::metrics;

/// Keeps a resource until its pipeline is removed from the store.
pub const FINALIZER: &str = "drover.dev/pipeline";

/// Sees to a pipeline: makes what is missing, changes what is not as it should be, and says how it is.
pub async fn reconcile(
    resource: Arc<Pipeline>,
    context: Arc<Context>,
) -> Result<Action, OperatorError> {
    let began = Instant::now();
    let uid = resource.uid().unwrap_or_default();
    let namespace = resource.namespace().unwrap_or_default();
    let api: Api<Pipeline> = Api::namespaced(context.client.clone(), &namespace);
    let looking = Arc::clone(&context);
    let looked = finalizer(&api, FINALIZER, resource, |event| async move {
        match event {
            Event::Apply(resource) => Box::pin(tend(&resource, &looking)).await,
            Event::Cleanup(resource) => dismiss(&resource, &looking).await,
        }
    });
    let looked = looked.await.map_err(OperatorError::from);
    if looked.is_ok() {
        context.failures.forget(&uid);
    }
    metrics::reconciled(
        looked.as_ref().err().map(OperatorError::kind),
        began.elapsed(),
    );
    looked
}

/// When to look again after a failure.
#[expect(clippy::needless_pass_by_value, reason = "the controller passes it so")]
pub fn retry(resource: Arc<Pipeline>, error: &OperatorError, context: Arc<Context>) -> Action {
    let failures = context.failures.count(&resource.uid().unwrap_or_default());
    let pause = error.pause(failures);
    if matches!(error, OperatorError::JobsOpen(_)) {
        return Action::requeue(pause);
    }
    tracing::warn!(
        pipeline.name = resource.name_any(),
        error = error as &dyn std::error::Error,
        "a pipeline could not be tended; trying again in {pause:.1?}"
    );
    Action::requeue(pause)
}
