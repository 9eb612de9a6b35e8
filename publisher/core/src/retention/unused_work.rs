//! Unused work of expired jobs: superseded by a newer output, and not skipped by a kept job.

use std::collections::BTreeSet;

use drover_shared::id::{DatumId, JobId};
use drover_shared::ledger::{DoneIndex, DoneRef};

/// The unused work in a done index, by position.
#[derive(Debug)]
pub(super) struct UnusedWork<'a> {
    done: &'a DoneIndex,
    is_unused: Vec<bool>,
    count: usize,
}

impl<'a> UnusedWork<'a> {
    /// Begins with all work of expired jobs older than the newest success, whose output is complete. Without a success no
    /// work is superseded.
    pub(super) fn of(
        done: &'a DoneIndex,
        expired: &BTreeSet<JobId>,
        newest_success: Option<JobId>,
    ) -> Self {
        let is_superseded = |work: DoneRef| {
            expired.contains(&work.job) && newest_success.is_some_and(|newest| work.job < newest)
        };
        let is_unused: Vec<bool> = done.references().map(is_superseded).collect();
        let count = is_unused.iter().filter(|is_unused| **is_unused).count();
        Self {
            done,
            is_unused,
            count,
        }
    }

    /// The datum is in the manifest of a kept job.
    pub(super) fn note_use(&mut self, datum: DatumId) {
        if let Some(at) = self.done.position(datum)
            && std::mem::take(&mut self.is_unused[at])
        {
            self.count -= 1;
        }
    }

    /// Counts everything as used: the kept jobs could not be read.
    pub(super) fn give_up(&mut self) {
        self.is_unused.fill(false);
        self.count = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn contains(&self, position: usize) -> bool {
        self.is_unused[position]
    }

    /// The jobs of the unused work.
    pub(super) fn jobs(&self) -> BTreeSet<JobId> {
        self.split()
            .filter(|(_, is_unused)| *is_unused)
            .map(|(work, _)| work.job)
            .collect()
    }

    /// The remaining work.
    pub(super) fn used(&self) -> impl Iterator<Item = DoneRef> {
        self.split()
            .filter(|(_, is_unused)| !is_unused)
            .map(|(work, _)| work)
    }

    fn split(&self) -> impl Iterator<Item = (DoneRef, bool)> {
        self.done.references().zip(self.is_unused.iter().copied())
    }
}
