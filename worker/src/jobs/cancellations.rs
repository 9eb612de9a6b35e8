//! The cancellation of jobs: one token a job, for all of its datums in the current worker.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::id::JobId;
use tokio_util::sync::CancellationToken;

/// The number of stopped jobs to remember: their messages may still arrive. For older jobs the ledger is read.
const REMEMBERED: usize = 256;

/// The stopped jobs, and a cancellation token for each job. Cheap to clone; all clones share the state.
#[derive(Clone, Debug)]
pub struct Cancellations {
    hard: CancellationToken,
    jobs: Arc<Mutex<JobTokens>>,
}

#[derive(Debug, Default)]
struct JobTokens {
    tokens: HashMap<JobId, CancellationToken>,
    /// The jobs that were stopped last, oldest first.
    stopped: VecDeque<JobId>,
}

impl Cancellations {
    /// No job is stopped. Cancelling `hard` cancels all tokens.
    pub fn new(hard: &CancellationToken) -> Self {
        Self {
            hard: hard.clone(),
            jobs: Arc::default(),
        }
    }

    /// Cancels the token of a job: running commands are ended, later messages are dropped.
    pub fn stop(&self, job: JobId) {
        let mut jobs = self.lock();
        if let Some(token) = jobs.tokens.get(&job) {
            token.cancel();
        }
        if jobs.stopped.contains(&job) {
            return;
        }
        if jobs.stopped.len() == REMEMBERED {
            jobs.stopped.pop_front();
        }
        jobs.stopped.push_back(job);
    }

    /// The token of a job, cancelled when the job is stopped or the worker ends at once.
    pub fn token(&self, job: JobId) -> CancellationToken {
        let mut jobs = self.lock();
        let is_stopped = jobs.stopped.contains(&job);
        let token = jobs
            .tokens
            .entry(job)
            .or_insert_with(|| self.hard.child_token());
        if is_stopped {
            token.cancel();
        }
        token.clone()
    }

    /// Forgets the token of a job without datums in flight.
    pub fn forget(&self, job: JobId) {
        self.lock().tokens.remove(&job);
    }

    fn lock(&self) -> MutexGuard<'_, JobTokens> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_cancelled_whether_it_is_taken_before_the_stop_or_after() {
        let cancellations = Cancellations::new(&CancellationToken::new());
        let (before, after, other) = (JobId::generate(), JobId::generate(), JobId::generate());
        let token = cancellations.token(before);
        cancellations.stop(before);
        cancellations.stop(after);
        assert!(token.is_cancelled() && cancellations.token(after).is_cancelled());
        assert!(!cancellations.token(other).is_cancelled());
    }

    #[test]
    fn memory_stays_bounded_however_many_jobs_are_stopped() {
        let cancellations = Cancellations::new(&CancellationToken::new());
        for _ in 0..10 * REMEMBERED {
            let job = JobId::generate();
            cancellations.token(job);
            cancellations.stop(job);
            cancellations.stop(job);
            cancellations.forget(job);
        }
        let jobs = cancellations.lock();
        assert_eq!((jobs.tokens.len(), jobs.stopped.len()), (0, REMEMBERED));
    }
}
