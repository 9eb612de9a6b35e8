//! Sets given back to the queue after some of the datums had begun. Not every queue counts a hand-back as a delivery, and a
//! finished datum must not run again.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_shared::id::JobId;

/// Most sets remembered; beyond this number all are forgotten, at the cost of a repetition.
const MOST: usize = 4096;

/// The sets, by job and index of the first datum.
#[derive(Debug, Default)]
pub(crate) struct BegunSets {
    sets: Mutex<HashSet<(JobId, u64)>>,
}

impl BegunSets {
    /// Remembers a set given back.
    pub(crate) fn note(&self, job: JobId, first: u64) {
        let mut sets = self.lock();
        if sets.len() >= MOST {
            sets.clear();
        }
        sets.insert((job, first));
    }

    /// True if the current worker gave the set back.
    pub(crate) fn has(&self, job: JobId, first: u64) -> bool {
        self.lock().contains(&(job, first))
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(JobId, u64)>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
