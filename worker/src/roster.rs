//! The roster: the pipelines that a worker serves at the moment.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_shared::id::PipelineName;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// The pipelines on the roster.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    served: Mutex<HashMap<PipelineName, CancellationToken>>,
    /// Notified whenever a pipeline enters or leaves.
    changed: Notify,
}

impl Roster {
    /// Puts a pipeline on the roster; none if it is there. The token is cancelled when the pipeline leaves.
    pub(crate) fn enter(&self, pipeline: &PipelineName) -> Option<CancellationToken> {
        let mut served = self.lock();
        if served.contains_key(pipeline) {
            return None;
        }
        let leaves = CancellationToken::new();
        served.insert(pipeline.clone(), leaves.clone());
        metrics::pipelines_served(served.len());
        self.changed.notify_one();
        Some(leaves)
    }

    /// Takes a pipeline off the roster, once the worker holds no datum of the pipeline.
    pub(crate) fn remove(&self, pipeline: &PipelineName) {
        let mut served = self.lock();
        served.remove(pipeline);
        metrics::pipelines_served(served.len());
        self.changed.notify_one();
    }

    /// Waits until a pipeline has entered or left since the last call. For one caller.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// True if the worker serves the pipeline, or finishes datums of the pipeline.
    pub(crate) fn has(&self, pipeline: &PipelineName) -> bool {
        self.lock().contains_key(pipeline)
    }

    /// The number of pipelines on the roster.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Cancels the token of a pipeline.
    pub(crate) fn dismiss(&self, pipeline: &PipelineName) {
        if let Some(leaves) = self.lock().get(pipeline) {
            leaves.cancel();
        }
    }

    /// The pipelines on the roster.
    pub(crate) fn names(&self) -> BTreeSet<PipelineName> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PipelineName, CancellationToken>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
