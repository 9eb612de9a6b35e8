//! Sets of datums of a job, by index: mostly long runs of neighbours.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A set of indexes, kept as ranges. In JSON a list of pairs of first index and count.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct IndexRanges {
    /// Ascending, not empty, with a gap between any two.
    ranges: Vec<Range<u64>>,
}

impl IndexRanges {
    /// True without an index.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many indexes.
    pub fn len(&self) -> u64 {
        self.ranges
            .iter()
            .fold(0, |sum, range| sum + (range.end - range.start))
    }

    /// True if the set holds the index.
    pub fn contains(&self, index: u64) -> bool {
        let place = self.ranges.partition_point(|range| range.end <= index);
        let range = self.ranges.get(place);
        range.is_some_and(|range| range.contains(&index))
    }

    /// The smallest index.
    pub fn first(&self) -> Option<u64> {
        self.ranges.first().map(|range| range.start)
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges.iter().cloned()
    }

    /// Adds the indexes of a range.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let begin = self.ranges.partition_point(|other| other.end < range.start);
        let end = self
            .ranges
            .partition_point(|other| other.start <= range.end);
        let joined = self.ranges.get(begin..end).unwrap_or_default();
        let first = joined.first().map_or(range.start, |other| other.start);
        let last = joined.last().map_or(range.end, |other| other.end);
        let whole = first.min(range.start)..last.max(range.end);
        self.ranges.splice(begin..end.max(begin), [whole]);
    }

    /// Adds the indexes of another set.
    pub fn extend(&mut self, other: &Self) {
        other.ranges().for_each(|range| self.insert(range));
    }

    /// The indexes in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut common = Self::default();
        let mut others = other.ranges.iter().peekable();
        for range in &self.ranges {
            while let Some(other) = others.peek() {
                common.insert(range.start.max(other.start)..range.end.min(other.end));
                if other.end > range.end {
                    break;
                }
                others.next();
            }
        }
        common
    }

    /// The indexes without those of another set.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut gaps = Self::default();
        let mut begin = 0;
        for range in &other.ranges {
            gaps.insert(begin..range.start);
            begin = range.end;
        }
        gaps.insert(begin..u64::MAX);
        self.intersection(&gaps)
    }
}

impl FromIterator<u64> for IndexRanges {
    fn from_iter<T: IntoIterator<Item = u64>>(indexes: T) -> Self {
        let mut set = Self::default();
        for index in indexes {
            set.insert(index..index.saturating_add(1));
        }
        set
    }
}

/// Pairs of first index and count, from the network: in any order, overlapping, too large.
impl From<Vec<(u64, u64)>> for IndexRanges {
    fn from(pairs: Vec<(u64, u64)>) -> Self {
        let mut set = Self::default();
        for (first, count) in pairs {
            set.insert(first..first.saturating_add(count));
        }
        set
    }
}

impl From<IndexRanges> for Vec<(u64, u64)> {
    fn from(set: IndexRanges) -> Self {
        let pairs = set.ranges.iter();
        pairs
            .map(|range| (range.start, range.end - range.start))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ranges(indexes: &BTreeSet<u64>) -> IndexRanges {
        indexes.iter().copied().collect()
    }

    fn indexes(set: &IndexRanges) -> BTreeSet<u64> {
        set.ranges().flatten().collect()
    }

    #[test]
    fn neighbours_are_one_range() {
        let mut set: IndexRanges = [1, 2, 5].into_iter().collect();
        assert_eq!(serde_json::to_string(&set).unwrap(), "[[1,2],[5,1]]");
        set.insert(3..5);
        assert_eq!(serde_json::to_string(&set).unwrap(), "[[1,5]]");
    }

    #[test]
    fn pairs_from_the_network_may_overlap_and_overflow() {
        let set: IndexRanges =
            serde_json::from_str("[[5,3],[0,0],[6,4],[18446744073709551615,9]]").unwrap();
        assert!(set.ranges().eq(std::iter::once(5..10)));
    }

    proptest! {
        #[test]
        fn it_is_a_set(
            one in proptest::collection::vec(0..40_u64, 0..30),
            other in proptest::collection::btree_set(0..40_u64, 0..30),
        ) {
            let set: IndexRanges = one.iter().copied().collect();
            let plain: BTreeSet<u64> = one.into_iter().collect();
            prop_assert_eq!(indexes(&set), plain.clone());
            prop_assert_eq!(set.len(), plain.len() as u64);
            prop_assert_eq!(set.first(), plain.first().copied());
            prop_assert_eq!(&ranges(&plain), &set);
            for index in 0..41 {
                prop_assert_eq!(set.contains(index), plain.contains(&index));
            }
            let both = set.intersection(&ranges(&other));
            prop_assert_eq!(indexes(&both), plain.intersection(&other).copied().collect());
            let rest = set.difference(&ranges(&other));
            prop_assert_eq!(indexes(&rest), plain.difference(&other).copied().collect());
            let mut all = set.clone();
            all.extend(&ranges(&other));
            prop_assert_eq!(indexes(&all), plain.union(&other).copied().collect());
        }
    }
}
