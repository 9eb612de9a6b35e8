//! Commit records of an unsealed segment: single verdicts, and elements of the logs of sets.

use std::collections::BTreeMap;
use std::ops::Range;

use futures::{StreamExt, TryStreamExt, stream};

use crate::datum::Verdict;
use crate::id::JobId;
use crate::ledger::{Ledger, Segment};
use crate::store::{StoreError, StoreKey, layout};

/// Records read at once.
const READS_AT_ONCE: usize = 16;

/// The name of a commit record. Earlier records count before later records.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::ledger) enum CommitRecord {
    /// The verdict of the datum with the index.
    Single(u64),
    /// The `n`th element of the log of the set.
    OfSet { first: u64, n: u32 },
}

impl CommitRecord {
    fn parse(name: &str) -> Option<Self> {
        if let Some(index) = name.strip_suffix(".json") {
            return Some(Self::Single(index.parse().ok()?));
        }
        let (first, n) = name.strip_suffix(".jsonl")?.split_once('.')?;
        Some(Self::OfSet {
            first: first.parse().ok()?,
            n: n.parse().ok()?,
        })
    }

    /// Smallest possible index of a datum in the record. A set lies within a segment.
    fn begin(self) -> u64 {
        match self {
            Self::Single(index) => index,
            Self::OfSet { first, .. } => first,
        }
    }

    /// False for a datum whose verdict cannot be in the record.
    pub(in crate::ledger) fn is_about(self, index: u64) -> bool {
        match self {
            Self::Single(only) => only == index,
            Self::OfSet { first, .. } => index >= first,
        }
    }

    /// The key of the record.
    pub(in crate::ledger) fn key(self, job: JobId) -> StoreKey {
        match self {
            Self::Single(index) => layout::commit(job, index),
            Self::OfSet { first, n } => layout::set_commit(job, first, n),
        }
    }
}

impl Ledger {
    /// The commit records of a segment, in the order of precedence.
    pub(in crate::ledger) async fn commit_records(
        &self,
        job: JobId,
        segment: Segment,
    ) -> Result<Vec<CommitRecord>, StoreError> {
        self.commit_records_in(job, segment.indexes()).await
    }

    async fn commit_records_in(
        &self,
        job: JobId,
        indexes: Range<u64>,
    ) -> Result<Vec<CommitRecord>, StoreError> {
        let mut records = Vec::new();
        for shard in indexes.start / layout::SHARD..indexes.end.div_ceil(layout::SHARD) {
            let names = self.store.names(&layout::commit_shard(job, shard)).await?;
            let all = names.iter().filter_map(|name| CommitRecord::parse(name));
            records.extend(all.filter(|record| indexes.contains(&record.begin())));
        }
        records.sort_unstable();
        Ok(records)
    }

    /// The verdicts of an unsealed segment, by index.
    pub(in crate::ledger) async fn unsealed_verdicts(
        &self,
        job: JobId,
        segment: Segment,
    ) -> Result<BTreeMap<u64, Verdict>, StoreError> {
        let records = self.commit_records(job, segment).await?;
        let mut read = stream::iter(
            records
                .into_iter()
                .map(|record| self.committed_by(job, record)),
        )
        .buffered(READS_AT_ONCE);
        let mut verdicts = BTreeMap::new();
        while let Some(of_record) = read.try_next().await? {
            for verdict in of_record {
                // The first record of a datum counts.
                verdicts.entry(verdict.index).or_insert(verdict);
            }
        }
        Ok(verdicts)
    }

    /// The verdicts of a record; none if it was sealed and removed meanwhile.
    async fn committed_by(
        &self,
        job: JobId,
        record: CommitRecord,
    ) -> Result<Vec<Verdict>, StoreError> {
        match record {
            CommitRecord::Single(index) => Ok(self.single(job, index).await?.into_iter().collect()),
            CommitRecord::OfSet { first, n } => {
                let element = self.set_element(job, first, n).await?;
                Ok(element.unwrap_or_default())
            }
        }
    }

    /// The verdict of a datum in the log of a set. The sets are known by the listing of the shard, as a set does not cross
    /// shards.
    pub(in crate::ledger) async fn of_some_set(
        &self,
        job: JobId,
        index: u64,
    ) -> Result<Option<Verdict>, StoreError> {
        let begin = index / layout::SHARD * layout::SHARD;
        let records = self.commit_records_in(job, begin..index + 1).await?;
        let set = records.iter().rev().find_map(|record| match record {
            CommitRecord::OfSet { first, .. } => Some(*first),
            CommitRecord::Single(_) => None,
        });
        let elements = records.into_iter().filter(
            |record| matches!(record, CommitRecord::OfSet { first, .. } if Some(*first) == set),
        );
        for element in elements {
            let verdicts = self.committed_by(job, element).await?;
            let found = verdicts.into_iter().find(|verdict| verdict.index == index);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
