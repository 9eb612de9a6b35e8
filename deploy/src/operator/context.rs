//! What tending a pipeline takes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::queue::Link;
use kube::Client;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;

use super::Nodes;
use crate::books::Books;
use crate::crd::Pipeline;
use crate::crew::Crew;
use crate::settings::Workers;

/// What tending a pipeline takes; the same for all.
pub struct Context {
    /// The cluster.
    pub client: Client,
    /// The store.
    pub books: Arc<dyn Books>,
    /// Who asks workers how they are.
    pub crew: Arc<dyn Crew>,
    /// How the connection to the broker is.
    pub link: Box<dyn Fn() -> Link + Send + Sync>,
    /// How workers are run in this cluster.
    pub workers: Workers,
    /// The nodes as they are now.
    pub nodes: Nodes,
    /// All pipelines of the namespace.
    pub pipelines: Store<Pipeline>,
    /// Tells people what happened.
    pub recorder: Recorder,
    /// How often in a row a pipeline could not be tended.
    pub failures: Failures,
}

/// How often in a row pipelines could not be tended, by their uids.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<String, u32>>);

impl Failures {
    /// One more; how many there were before.
    pub(super) fn count(&self, uid: &str) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(uid.to_owned()).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        before
    }

    /// It was tended, or is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uid);
    }
}
