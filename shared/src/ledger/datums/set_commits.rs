//! The commits of a set: a log of elements with the verdicts of datums of the set.
//!
//! The verdict of a datum lies in the first element with the datum. An element is created only if the number of the element is
//! free, and holds no datum of an earlier element: every process reads all earlier elements first. So a single put decides the
//! verdicts of a whole set, a set may be committed in parts, and each datum has a single verdict.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::verdicts::QUICK;
use crate::datum::{CommitUnit, Verdict};
use crate::id::JobId;
use crate::ledger::records::{advice, to_json_lines};
use crate::ledger::{Commit, Ledger};
use crate::store::{StoreError, layout};

/// The log of a set, as far as the current process has read it.
#[derive(Clone, Debug)]
pub struct SetLog {
    job: JobId,
    /// Index of the first datum of the set.
    first: u64,
    /// Number of the element after the last known element.
    next: u32,
    verdicts: BTreeMap<u64, Verdict>,
}

/// The verdict of a datum after a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct SetVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// True if this commit wrote the verdict.
    pub first: bool,
}

impl SetLog {
    /// The log of the set whose first datum has the index `first`, unread.
    pub fn unread(job: JobId, first: u64) -> Self {
        Self {
            job,
            first,
            next: 0,
            verdicts: BTreeMap::new(),
        }
    }

    /// The verdict of a datum in the known part of the log.
    pub fn verdict(&self, index: u64) -> Option<&Verdict> {
        self.verdicts.get(&index)
    }

    /// The verdicts on datums without a verdict in the known part of the log.
    fn without_verdict(&self, verdicts: &[Verdict]) -> Vec<Verdict> {
        let open = verdicts.iter();
        open.filter(|verdict| self.verdict(verdict.index).is_none())
            .cloned()
            .collect()
    }

    /// The verdict for the datum of `mine`. An equal verdict in the log is our own: the answer to an earlier try was lost.
    fn outcome(&self, mine: &Verdict) -> SetVerdict {
        let verdict = self.verdict(mine.index).unwrap_or(mine).clone();
        SetVerdict {
            first: verdict == *mine,
            verdict,
        }
    }

    /// Takes the verdicts of a seal, which count before the log.
    fn replace(&mut self, sealed: Vec<Verdict>) {
        let by_index = sealed.into_iter().map(|verdict| (verdict.index, verdict));
        self.verdicts.extend(by_index);
    }

    fn take(&mut self, element: Vec<Verdict>) {
        self.next += 1;
        for verdict in element {
            self.verdicts.entry(verdict.index).or_insert(verdict);
        }
    }
}

impl Ledger {
    /// Commits verdicts of datums of the same unit. The first verdict of each datum counts, and is returned in the order of
    /// `verdicts`.
    pub async fn commit_all(
        &self,
        job: JobId,
        unit: CommitUnit,
        verdicts: Vec<Verdict>,
    ) -> Result<Vec<SetVerdict>, StoreError> {
        let CommitUnit::Set(first) = unit else {
            let mut committed = Vec::with_capacity(verdicts.len());
            for verdict in verdicts {
                committed.push(match self.commit(job, &verdict).await? {
                    Commit::Won => SetVerdict {
                        verdict,
                        first: true,
                    },
                    Commit::Lost(earlier) => SetVerdict {
                        verdict: *earlier,
                        first: false,
                    },
                });
            }
            return Ok(committed);
        };
        self.commit_set(&mut SetLog::unread(job, first), verdicts)
            .await
    }

    /// Reads the unknown elements of the log.
    pub async fn read_on(&self, log: &mut SetLog) -> Result<(), StoreError> {
        while let Some(element) = self.set_element(log.job, log.first, log.next).await? {
            log.take(element);
        }
        Ok(())
    }

    /// Commits verdicts of datums of a set by a conditional put, or more if several processes commit at the same time. The
    /// first verdict of each datum counts, and is returned in the order of `verdicts`.
    pub async fn commit_set(
        &self,
        log: &mut SetLog,
        verdicts: Vec<Verdict>,
    ) -> Result<Vec<SetVerdict>, StoreError> {
        loop {
            let open = log.without_verdict(&verdicts);
            if open.is_empty() {
                break;
            }
            if self.append_to_set(log, &open).await? {
                self.yield_to_seal(log, &open).await?;
                break;
            }
        }
        Ok(verdicts.iter().map(|mine| log.outcome(mine)).collect())
    }

    /// Creates the element after the last known element. False if a different process was first: the verdicts of that process count.
    async fn append_to_set(&self, log: &mut SetLog, open: &[Verdict]) -> Result<bool, StoreError> {
        let key = layout::set_commit(log.job, log.first, log.next);
        match self.store.create(&key, to_json_lines(&key, open)?).await {
            Ok(()) => {
                log.take(open.to_vec());
                return Ok(true);
            }
            Err(StoreError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some(element) = self.set_element(log.job, log.first, log.next).await? {
            log.take(element);
            return Ok(false);
        }
        // Sealed and removed between our two looks: the seal has all verdicts.
        let sealed = self.sealed_among(log.job, open).await?;
        if sealed.len() < open.len() {
            return Err(StoreError::Missing { key });
        }
        log.replace(sealed);
        Ok(false)
    }

    /// Takes back the last element, with the verdicts of `own`, if the segment was sealed while their datums ran.
    async fn yield_to_seal(&self, log: &mut SetLog, own: &[Verdict]) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let is_slow = |verdict: &Verdict| now.duration_since(verdict.started) >= QUICK;
        if !own.iter().any(is_slow) {
            return Ok(());
        }
        let sealed = self.sealed_among(log.job, own).await?;
        if !sealed.is_empty() {
            let element = layout::set_commit(log.job, log.first, log.next - 1);
            self.store.delete(&element).await?;
            log.replace(sealed);
        }
        Ok(())
    }

    /// The sealed verdicts of the datums of `open`, which belong to one segment.
    async fn sealed_among(&self, job: JobId, open: &[Verdict]) -> Result<Vec<Verdict>, StoreError> {
        let Some(some) = open.first() else {
            return Ok(Vec::new());
        };
        let mut sealed = self.sealed_with(job, some.index).await?;
        sealed.retain(|verdict| open.iter().any(|mine| mine.index == verdict.index));
        Ok(sealed)
    }

    /// An element of the log of a set; none beyond the end.
    pub(in crate::ledger) async fn set_element(
        &self,
        job: JobId,
        first: u64,
        n: u32,
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        let key = layout::set_commit(job, first, n);
        let read = match self.read_lines(&key, advice::VERDICT).await {
            // The element may have been sealed and its file recycled while we read.
            Err(StoreError::Corrupt { .. }) => self.read_lines(&key, advice::VERDICT).await,
            read => read,
        };
        match read {
            Ok(verdicts) => Ok(Some(verdicts)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
