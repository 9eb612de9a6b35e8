//! The cancellation of jobs: two tokens a job, for all of its datums in the current worker.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::id::JobId;
use tokio_util::sync::CancellationToken;

/// The number of stopped jobs to remember: their messages may still arrive. For older jobs the ledger is read.
const REMEMBERED: usize = 256;

/// The stopped jobs, and the tokens of each job. Cheap to clone; all clones share the state.
#[derive(Clone, Debug)]
pub struct Cancellations {
    hard: CancellationToken,
    jobs: Arc<Mutex<TokensByJob>>,
}

/// The tokens of a job.
#[derive(Clone, Debug)]
pub(crate) struct JobTokens {
    /// Cancelled once no other datum may begin.
    pub(crate) closed: CancellationToken,
    /// Cancelled once the job is stopped or the worker ends at once.
    pub(crate) stopped: CancellationToken,
}

#[derive(Debug, Default)]
struct TokensByJob {
    tokens: HashMap<JobId, JobTokens>,
    closed: LastJobs,
    stopped: LastJobs,
}

/// The jobs of which something was told last, oldest first.
#[derive(Debug, Default)]
struct LastJobs(VecDeque<JobId>);

impl LastJobs {
    fn note(&mut self, job: JobId) {
        if self.0.contains(&job) {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(job);
    }
}

impl Cancellations {
    /// No job is stopped. Cancelling `hard` cancels all tokens.
    pub fn new(hard: &CancellationToken) -> Self {
        Self {
            hard: hard.clone(),
            jobs: Arc::default(),
        }
    }

    /// Lets no other datum of a job begin: running commands go on, later messages are dropped.
    pub(crate) fn close(&self, job: JobId) {
        let mut jobs = self.lock();
        if let Some(tokens) = jobs.tokens.get(&job) {
            tokens.closed.cancel();
        }
        jobs.closed.note(job);
    }

    /// Stops a job: running commands are ended, later messages are dropped.
    pub fn stop(&self, job: JobId) {
        let mut jobs = self.lock();
        if let Some(tokens) = jobs.tokens.get(&job) {
            tokens.stopped.cancel();
        }
        jobs.stopped.note(job);
    }

    /// True if the job was stopped lately.
    pub fn is_stopped(&self, job: JobId) -> bool {
        self.lock().stopped.0.contains(&job)
    }

    /// The tokens of a job.
    pub(crate) fn tokens(&self, job: JobId) -> JobTokens {
        let mut jobs = self.lock();
        let is_closed = jobs.closed.0.contains(&job);
        let is_stopped = jobs.stopped.0.contains(&job);
        let tokens = jobs.tokens.entry(job).or_insert_with(|| JobTokens {
            closed: CancellationToken::new(),
            stopped: self.hard.child_token(),
        });
        if is_closed {
            tokens.closed.cancel();
        }
        if is_stopped {
            tokens.stopped.cancel();
        }
        tokens.clone()
    }

    /// Forgets the tokens of a job without datums in flight.
    pub fn forget(&self, job: JobId) {
        self.lock().tokens.remove(&job);
    }

    fn lock(&self) -> MutexGuard<'_, TokensByJob> {
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
        let tokens = cancellations.tokens(before);
        cancellations.stop(before);
        cancellations.stop(after);
        assert!(tokens.stopped.is_cancelled());
        assert!(cancellations.tokens(after).stopped.is_cancelled());
        assert!(!cancellations.tokens(other).stopped.is_cancelled());
        assert!(!tokens.closed.is_cancelled());
        cancellations.close(other);
        let tokens = cancellations.tokens(other);
        assert!(tokens.closed.is_cancelled() && !tokens.stopped.is_cancelled());
    }

    #[test]
    fn memory_stays_bounded_however_many_jobs_are_stopped() {
        let cancellations = Cancellations::new(&CancellationToken::new());
        for _ in 0..10 * REMEMBERED {
            let job = JobId::generate();
            cancellations.tokens(job);
            cancellations.close(job);
            cancellations.stop(job);
            cancellations.stop(job);
            cancellations.forget(job);
        }
        let jobs = cancellations.lock();
        assert_eq!(
            (jobs.tokens.len(), jobs.closed.0.len(), jobs.stopped.0.len()),
            (0, REMEMBERED, REMEMBERED)
        );
    }
}
