//! Word of stopped jobs, from whoever owns a job to the journeys of its datums.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::id::JobId;
use tokio_util::sync::CancellationToken;

/// Stopped jobs that are remembered although nobody here has met them: their messages may still come. Later than
/// that, the ledger tells.
const REMEMBERED: usize = 256;

/// Which jobs are to be stopped. Cheap to clone; all clones know the same.
#[derive(Clone, Debug)]
pub struct Cancellations {
    hard: CancellationToken,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    tokens: HashMap<JobId, CancellationToken>,
    /// The last ones that were stopped, oldest first.
    stopped: VecDeque<JobId>,
}

impl Cancellations {
    /// No job is to be stopped, as long as `hard` is not cancelled.
    pub fn new(hard: &CancellationToken) -> Self {
        Self {
            hard: hard.clone(),
            known: Arc::default(),
        }
    }

    /// Ends the running commands of a job; what is still to come of it is dropped.
    pub fn stop(&self, job: JobId) {
        let mut known = self.lock();
        if let Some(token) = known.tokens.get(&job) {
            token.cancel();
        }
        if known.stopped.contains(&job) {
            return;
        }
        if known.stopped.len() == REMEMBERED {
            known.stopped.pop_front();
        }
        known.stopped.push_back(job);
    }

    /// Cancelled when the job is to be stopped, and when everything is.
    pub fn token(&self, job: JobId) -> CancellationToken {
        let mut known = self.lock();
        let is_stopped = known.stopped.contains(&job);
        let token = known
            .tokens
            .entry(job)
            .or_insert_with(|| self.hard.child_token());
        if is_stopped {
            token.cancel();
        }
        token.clone()
    }

    /// Forgets the token of a job that nobody works on any more.
    pub fn forget(&self, job: JobId) {
        self.lock().tokens.remove(&job);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_stopped_whether_it_is_met_before_or_after() {
        let stops = Cancellations::new(&CancellationToken::new());
        let (before, after, other) = (JobId::generate(), JobId::generate(), JobId::generate());
        let token = stops.token(before);
        stops.stop(before);
        stops.stop(after);
        assert!(token.is_cancelled() && stops.token(after).is_cancelled());
        assert!(!stops.token(other).is_cancelled());
    }

    #[test]
    fn memory_stays_bounded_however_many_jobs_are_stopped() {
        let stops = Cancellations::new(&CancellationToken::new());
        for _ in 0..10 * REMEMBERED {
            let job = JobId::generate();
            stops.token(job);
            stops.stop(job);
            stops.stop(job);
            stops.forget(job);
        }
        let known = stops.lock();
        assert_eq!((known.tokens.len(), known.stopped.len()), (0, REMEMBERED));
    }
}
