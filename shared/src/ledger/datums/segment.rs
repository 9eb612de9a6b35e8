//! Segments: runs of consecutive datums, stored as one object.

use std::fmt;
use std::str::FromStr;

/// A run of consecutive datums of a job. The name is `<first>-<count>`, padded so names sort like segments.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Segment {
    /// Index of the first datum.
    pub first: u64,
    /// How many datums.
    pub count: u64,
}

impl Segment {
    /// True if the datum with the index belongs to the segment.
    pub fn contains(&self, index: u64) -> bool {
        self.indexes().contains(&index)
    }

    /// Indexes of the datums.
    pub fn indexes(&self) -> std::ops::Range<u64> {
        self.first..self.first.saturating_add(self.count)
    }

    /// The sealed segments among the names of a listing, ascending.
    pub(in crate::ledger) fn among(names: &[String]) -> Vec<Self> {
        let segments = names
            .iter()
            .filter_map(|name| name.strip_suffix(".jsonl")?.parse().ok());
        segments.collect()
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:020}-{}", self.first, self.count)
    }
}

impl FromStr for Segment {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, count) = text.split_once('-').unwrap_or((text, ""));
        Ok(Self {
            first: first.parse()?,
            count: count.parse()?,
        })
    }
}
