//! Why pipelines start no job, for people who wonder.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::id::PipelineName;

/// What keeps registered pipelines from starting a job, as far as this process knows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct WaitReasons(Arc<Mutex<HashMap<PipelineName, String>>>);

impl WaitReasons {
    /// Why the pipeline starts no job; none if nothing is in its way.
    pub fn why(&self, pipeline: &PipelineName) -> Option<String> {
        self.lock().get(pipeline).cloned()
    }

    /// Says why the pipeline starts no job, and in the log if that is news.
    pub fn tell(&self, pipeline: &PipelineName, why: &str) {
        let mut all = self.lock();
        if all.get(pipeline).is_none_or(|told| told != why) {
            tracing::info!(pipeline.name = %pipeline, "{pipeline} waits: {why}");
            all.insert(pipeline.clone(), why.to_owned());
        }
    }

    /// Nothing is in its way (any more).
    pub(super) fn clear(&self, pipeline: &PipelineName) {
        self.lock().remove(pipeline);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PipelineName, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
