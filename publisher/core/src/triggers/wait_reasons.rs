//! Reasons for registered pipelines that start no job.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::id::PipelineName;

/// Reasons for starting no job, known in the current process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct WaitReasons(Arc<Mutex<HashMap<PipelineName, WaitReason>>>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct WaitReason {
    why: String,
    /// True if waiting alone does not help.
    is_obstacle: bool,
}

impl WaitReasons {
    /// The reason for starting no job, if any.
    pub fn why(&self, pipeline: &PipelineName) -> Option<String> {
        self.lock().get(pipeline).map(|reason| reason.why.clone())
    }

    /// The pipelines that cannot start a job until something outside of Drover changes, each with the reason.
    pub fn obstacles(&self) -> Vec<(PipelineName, String)> {
        let reasons = self.lock();
        let obstacles = reasons.iter().filter(|(_, reason)| reason.is_obstacle);
        obstacles
            .map(|(pipeline, reason)| (pipeline.clone(), reason.why.clone()))
            .collect()
    }

    /// Records the reason for starting no job, and logs a new reason.
    pub fn tell(&self, pipeline: &PipelineName, why: &str) {
        if self.is_new(pipeline, why, false) {
            tracing::info!(pipeline.name = %pipeline, "{pipeline} waits: {why}");
        }
    }

    /// As [`tell`](Self::tell), for an obstacle, which may pass by itself, or may not.
    pub(super) fn tell_obstacle(&self, pipeline: &PipelineName, why: &str) {
        if self.is_new(pipeline, why, true) {
            tracing::info!(pipeline.name = %pipeline, "{pipeline} waits: {why}");
        }
    }

    /// As [`tell`](Self::tell), for a reason that only a person can remove.
    pub(super) fn warn(&self, pipeline: &PipelineName, why: &str) {
        if self.is_new(pipeline, why, true) {
            tracing::warn!(pipeline.name = %pipeline, "{pipeline} waits: {why}");
        }
    }

    /// Records the reason; true if the reason is new.
    fn is_new(&self, pipeline: &PipelineName, why: &str, is_obstacle: bool) -> bool {
        let reason = WaitReason {
            why: why.to_owned(),
            is_obstacle,
        };
        let before = self.lock().insert(pipeline.clone(), reason);
        before.is_none_or(|before| before.why != why)
    }

    /// Removes the reason.
    pub(super) fn clear(&self, pipeline: &PipelineName) {
        self.lock().remove(pipeline);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PipelineName, WaitReason>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_obstacle_is_told_apart_from_a_pause_until_it_is_gone() {
        let reasons = WaitReasons::default();
        let pipeline: PipelineName = "made".parse().unwrap();
        reasons.tell(&pipeline, "its inputs are empty");
        assert_eq!(reasons.obstacles(), []);
        reasons.tell_obstacle(&pipeline, "its input has no folder");
        let obstacle = (pipeline.clone(), "its input has no folder".to_owned());
        assert_eq!(reasons.obstacles(), [obstacle]);
        reasons.clear(&pipeline);
        assert_eq!(reasons.obstacles(), []);
    }
}
