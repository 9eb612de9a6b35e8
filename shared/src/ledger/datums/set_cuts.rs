//! How a segment is cut into sets: recorded once, before the first message with its datums.
//!
//! Leaders may disagree on the best size, but overlapping sets could commit two verdicts for a datum. So the first record
//! counts for all leaders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::datum::CommitUnit;
use crate::id::JobId;
use crate::ledger::records::{advice, to_json};
use crate::ledger::{Ledger, Segment};
use crate::store::{StoreError, layout};

/// The sets of a segment.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct SegmentSets {
    /// Index of the first datum of each set, ascending. Datums before the first set are on their own.
    #[serde(default)]
    sets: Vec<u64>,
}

impl SegmentSets {
    /// Every datum on its own.
    pub fn singles() -> Self {
        Self::default()
    }

    /// Sets from the indexes, ascending, each to the next set, and to the end of the segment.
    pub fn beginning_at(sets: Vec<u64>) -> Self {
        Self { sets }
    }

    /// How the datum with the index is committed.
    pub fn unit_of(&self, index: u64) -> CommitUnit {
        let following = self.sets.partition_point(|first| *first <= index);
        match following.checked_sub(1).and_then(|at| self.sets.get(at)) {
            Some(first) => CommitUnit::Set(*first),
            None => CommitUnit::Single,
        }
    }
}

impl Ledger {
    /// Records the sets of a segment unless a record exists; returns the recorded sets.
    pub async fn agree_on_sets(
        &self,
        job: JobId,
        segment: Segment,
        mine: SegmentSets,
    ) -> Result<SegmentSets, StoreError> {
        let key = layout::set_cut(job, segment.first);
        let created = self.store.create(&key, to_json(&key, &mine)?).await;
        self.first_created(created, mine, &key, advice::DETAIL)
            .await
    }

    /// True if the sets of any segment are recorded, so no leader of an older Drover has begun the job.
    pub async fn has_sets(&self, job: JobId) -> Result<bool, StoreError> {
        Ok(!self.store.names(&layout::set_cuts(job)).await?.is_empty())
    }

    /// How the datums with the indexes are committed: as their task has `told`, else according to the records; singly without
    /// a record.
    pub async fn units_of(
        &self,
        job: JobId,
        indexes: &[u64],
        told: Option<CommitUnit>,
    ) -> Result<Vec<CommitUnit>, StoreError> {
        if let Some(unit) = told {
            return Ok(vec![unit; indexes.len()]);
        }
        let segments: Vec<u64> = self.segments(job).await?.iter().map(|s| s.first).collect();
        let mut known: BTreeMap<u64, SegmentSets> = BTreeMap::new();
        let mut units = Vec::new();
        for index in indexes {
            let following = segments.partition_point(|first| first <= index);
            let Some(first) = following.checked_sub(1).and_then(|at| segments.get(at)) else {
                units.push(CommitUnit::Single);
                continue;
            };
            if !known.contains_key(first) {
                let key = layout::set_cut(job, *first);
                let sets = self.read_optional(&key, advice::DETAIL).await?;
                known.insert(*first, sets.unwrap_or_default());
            }
            units.push(known[first].unit_of(*index));
        }
        Ok(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datum_belongs_to_the_last_set_that_begins_before_it() {
        let sets = SegmentSets::beginning_at(vec![8, 10]);
        let units = [7, 8, 9, 10, 99].map(|index| sets.unit_of(index));
        let set = CommitUnit::Set;
        assert_eq!(
            units,
            [CommitUnit::Single, set(8), set(8), set(10), set(10)]
        );
        assert_eq!(SegmentSets::singles().unit_of(8), CommitUnit::Single);
    }
}
