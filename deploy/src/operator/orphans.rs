//! Pipelines whose resource is gone: deleted from the store, with a request to stop the jobs.
//!
//! Resources carry no finalizer, so neither a resource nor a namespace ever waits for an operator. The leader remembers the
//! registered pipelines and compares the list with the watched resources; the pipelines of an earlier leader are found in the store,
//! where each names the Lease of the leader.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_shared::causes::with_causes;
use drover_shared::id::PipelineName;
use tokio::sync::RwLock;
use tokio::time::{Instant, sleep};

use super::Context;
use crate::desired::pipeline_name;
use crate::job_store::JobStoreError;

/// How often registered pipelines are compared with the resources, in memory.
const COMPARE_EVERY: Duration = Duration::from_secs(1);
/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(5);
/// When a leader looks for pipelines of earlier leaders. Resources that are restored from a backup arrive before.
const SEARCH_AFTER: Duration = Duration::from_secs(30);

/// The pipelines that stand in the store on behalf of resources, as far as the current leader knows.
#[derive(Debug, Default)]
pub struct RegisteredNames {
    names: Mutex<BTreeSet<PipelineName>>,
    /// Shared by registrations, exclusive for a removal: the resource of each registered pipeline is visible to the removal.
    pub(super) turn: RwLock<()>,
}

impl RegisteredNames {
    /// Notes a pipeline.
    pub(super) fn note(&self, name: PipelineName) {
        self.lock().insert(name);
    }

    fn forget(&self, name: &PipelineName) {
        self.lock().remove(name);
    }

    fn all(&self) -> Vec<PipelineName> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PipelineName>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes pipelines without a resource, for as long as the operator leads.
pub(super) async fn remove_orphans(context: &Context) -> Infallible {
    if context.pipelines.wait_until_ready().await.is_err() {
        return std::future::pending().await;
    }
    let begun = Instant::now();
    let mut has_searched = false;
    loop {
        sleep(COMPARE_EVERY).await;
        let is_due = !has_searched && begun.elapsed() >= SEARCH_AFTER;
        let done = async {
            if is_due {
                find_earlier(context).await?;
                has_searched = true;
            }
            unregister_orphans(context).await
        };
        if let Err(error) = done.await {
            context.health.store(Some(&error));
            let error = with_causes(&error);
            tracing::warn!(
                "pipelines without a resource cannot be removed from the store; trying again: {error}"
            );
            sleep(PAUSE).await;
        }
    }
}

/// Notes the pipelines of earlier leaders.
pub(crate) async fn find_earlier(context: &Context) -> Result<(), JobStoreError> {
    for name in context.job_store.registered().await? {
        context.registered.note(name);
    }
    Ok(())
}

/// Deletes all known pipelines without a resource from the store.
pub(crate) async fn unregister_orphans(context: &Context) -> Result<(), JobStoreError> {
    for name in context.registered.all() {
        if has_resource(&name, context) {
            continue;
        }
        let _alone = context.registered.turn.write().await;
        if has_resource(&name, context) {
            continue;
        }
        let open = context.job_store.unregister(&name).await?;
        context.registered.forget(&name);
        context.health.store(None);
        tracing::info!(pipeline.name = %name, "pipeline unregistered; {open} unfinished jobs are asked to stop");
    }
    Ok(())
}

/// True if a resource stands for the pipeline. A resource that is being deleted does not.
fn has_resource(name: &PipelineName, context: &Context) -> bool {
    let stands = |resource: &crate::crd::Pipeline| {
        resource.metadata.deletion_timestamp.is_none() && pipeline_name(resource) == name.as_str()
    };
    context.pipelines.find(stands).is_some()
}
