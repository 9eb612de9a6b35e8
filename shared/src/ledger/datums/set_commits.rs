//! The commits of a set: a log of elements with the verdicts of datums of the set.
//!
//! The verdict of a datum is the one in the first element that has the datum. An element is created only if its number is
//! free, and holds no datum of an earlier element: whoever creates an element has read all earlier ones. So one put decides the
//! verdicts of a whole set, a set may be committed in parts, and each datum has one verdict.

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
    /// Number of the element after the last one known.
    next: u32,
    verdicts: BTreeMap<u64, Verdict>,
}

/// A verdict that counts, after a commit.
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

    /// The verdict of a datum, if the known part of the log has one.
    pub fn verdict(&self, index: u64) -> Option<&Verdict> {
        self.verdicts.get(&index)
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

    /// Reads the elements of the log that are not known yet.
    pub async fn read_on(&self, log: &mut SetLog) -> Result<(), StoreError> {
        while let Some(element) = self.set_element(log.job, log.first, log.next).await? {
            log.take(element);
        }
        Ok(())
    }

    /// Commits verdicts of datums of a set by one conditional put, or more if other processes commit at the same time. The
    /// first verdict of each datum counts, and is returned in the order of `verdicts`.
    pub async fn commit_set(
        &self,
        log: &mut SetLog,
        verdicts: Vec<Verdict>,
    ) -> Result<Vec<SetVerdict>, StoreError> {
        let mine = loop {
            let is_open = |verdict: &&Verdict| log.verdict(verdict.index).is_none();
            let open: Vec<Verdict> = verdicts.iter().filter(is_open).cloned().collect();
            if open.is_empty() {
                break None;
            }
            let key = layout::set_commit(log.job, log.first, log.next);
            match self.store.create(&key, to_json_lines(&key, &open)?).await {
                Ok(()) => {
                    log.take(open.clone());
                    break Some((key, open));
                }
                Err(StoreError::Exists { .. }) => {
                    match self.set_element(log.job, log.first, log.next).await? {
                        Some(element) => log.take(element),
                        // Sealed and removed between our two looks: the seal has all verdicts.
                        None => {
                            let sealed = self.sealed_among(log.job, &open).await?;
                            if sealed.len() < open.len() {
                                return Err(StoreError::Missing { key });
                            }
                            sealed.into_iter().for_each(|verdict| {
                                log.verdicts.insert(verdict.index, verdict);
                            });
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        };
        if let Some((key, open)) = mine {
            let now = Timestamp::now();
            let is_slow = |verdict: &Verdict| now.duration_since(verdict.started) >= QUICK;
            if open.iter().any(is_slow) {
                let sealed = self.sealed_among(log.job, &open).await?;
                if !sealed.is_empty() {
                    self.store.delete(&key).await?;
                }
                for verdict in sealed {
                    log.verdicts.insert(verdict.index, verdict);
                }
            }
        }
        Ok(verdicts
            .into_iter()
            .map(|mine| match log.verdict(mine.index) {
                Some(counts) => SetVerdict {
                    // Finding one's own is winning: the answer to an earlier try was lost.
                    first: *counts == mine,
                    verdict: counts.clone(),
                },
                None => SetVerdict {
                    verdict: mine,
                    first: true,
                },
            })
            .collect())
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

    /// An element of the log of a set; none if there is no such element.
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
