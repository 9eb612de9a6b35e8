//! Word of stopped jobs, from whoever owns a job to the journeys of its datums.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::id::JobId;
use tokio_util::sync::CancellationToken;

/// Which jobs are to be stopped. Cheap to clone; all clones know the same.
#[derive(Clone, Debug)]
pub struct Stops {
    hard: CancellationToken,
    jobs: Arc<Mutex<HashMap<JobId, CancellationToken>>>,
}

impl Stops {
    /// No job is to be stopped, as long as `hard` is not cancelled.
    pub fn new(hard: &CancellationToken) -> Self {
        Self {
            hard: hard.clone(),
            jobs: Arc::default(),
        }
    }

    /// Ends the running commands of a job; what is still to come of it is dropped.
    pub fn stop(&self, job: JobId) {
        self.token(job).cancel();
    }

    /// Cancelled when the job is to be stopped, and when everything is.
    pub fn token(&self, job: JobId) -> CancellationToken {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.entry(job)
            .or_insert_with(|| self.hard.child_token())
            .clone()
    }

    /// Forgets a job that has ended.
    pub fn forget(&self, job: JobId) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.remove(&job);
    }
}
