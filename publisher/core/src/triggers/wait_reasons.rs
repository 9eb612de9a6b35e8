//! Reasons for registered pipelines that start no job.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::id::PipelineName;

/// Reasons for starting no job, known in the current process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct WaitReasons(Arc<Mutex<HashMap<PipelineName, String>>>);

impl WaitReasons {
    /// The reason for starting no job, if any.
    pub fn why(&self, pipeline: &PipelineName) -> Option<String> {
        self.lock().get(pipeline).cloned()
    }

    /// Records the reason for starting no job, and logs a new reason.
    pub fn tell(&self, pipeline: &PipelineName, why: &str) {
        if self.is_new(pipeline, why) {
            tracing::info!(pipeline.name = %pipeline, "{pipeline} waits: {why}");
        }
    }

    /// As [`tell`](Self::tell), for a reason that only a person can remove.
    pub(super) fn warn(&self, pipeline: &PipelineName, why: &str) {
        if self.is_new(pipeline, why) {
            tracing::warn!(pipeline.name = %pipeline, "{pipeline} waits: {why}");
        }
    }

    /// Records the reason; true if the reason is new.
    fn is_new(&self, pipeline: &PipelineName, why: &str) -> bool {
        let before = self.lock().insert(pipeline.clone(), why.to_owned());
        before.is_none_or(|before| before != why)
    }

    /// Removes the reason.
    pub(super) fn clear(&self, pipeline: &PipelineName) {
        self.lock().remove(pipeline);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PipelineName, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
