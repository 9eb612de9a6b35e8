//! Shared context of all reconciliations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::queue::Link;
use kube::Client;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;

use super::{Nodes, RegisteredNames};
use crate::crd::Pipeline;
use crate::health::Health;
use crate::job_store::JobStore;
use crate::settings::WorkerSettings;
use crate::worker_probe::WorkerProbe;

/// Shared context of all reconciliations.
pub struct Context {
    /// The Kubernetes client.
    pub client: Client,
    /// The store.
    pub job_store: Arc<dyn JobStore>,
    /// Probes the workers.
    pub worker_probe: Arc<dyn WorkerProbe>,
    /// The state of the connection to the broker.
    pub link: Box<dyn Fn() -> Link + Send + Sync>,
    /// Cluster-wide settings of workers.
    pub workers: WorkerSettings,
    /// The current nodes.
    pub nodes: Nodes,
    /// All `Pipeline` resources of the namespace.
    pub pipelines: Store<Pipeline>,
    /// Pipelines that stand in the store.
    pub registered: RegisteredNames,
    /// Publishes Kubernetes events.
    pub recorder: Recorder,
    /// The operator's health, for `/ready`.
    pub health: Arc<Health>,
    /// Consecutive failures by pipeline.
    pub failures: FailureCounts,
}

/// Consecutive failures of reconciliations, by the resource's uid.
#[derive(Debug, Default)]
pub struct FailureCounts(Mutex<HashMap<String, u32>>);

impl FailureCounts {
    /// Adds a failure and returns the number before.
    pub(super) fn count(&self, uid: &str) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(uid.to_owned()).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        before
    }

    /// Resets the count after a success or a deletion.
    pub(super) fn forget(&self, uid: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uid);
    }
}
