//! Segments: runs of consecutive datums that are written down together.

use std::fmt;
use std::str::FromStr;

/// A run of consecutive datums of a job. Its name is `<first>-<count>`, padded so that names sort as the
/// segments do.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Segment {
    /// Index of its first datum.
    pub first: u64,
    /// How many datums.
    pub count: u64,
}

impl Segment {
    /// Whether the datum with this index is one of them.
    pub fn contains(&self, index: u64) -> bool {
        self.indexes().contains(&index)
    }

    /// The indexes of its datums.
    pub fn indexes(&self) -> std::ops::Range<u64> {
        self.first..self.first.saturating_add(self.count)
    }

    /// The segments among the names of a listing, ascending.
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
