//! The outcome of all rounds.

use std::fmt;
use std::ops::AddAssign;

/// Sums over all rounds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Commands that began.
    pub(crate) attempted: u64,
    /// Datums that the records called done at some moment.
    pub(crate) acknowledged: u64,
    /// Outputs that were right in the end.
    pub(crate) ok: u64,
    /// Outputs that were missing or wrong in the end.
    pub(crate) lost: u64,
    /// Pieces of work that were cut off and done later.
    pub(crate) recovered: u64,
    /// Endings that no fault explains.
    pub(crate) unexpected: u64,
    /// Datums that failed, though no command fails for good.
    pub(crate) innocents: u64,
    /// Executions of what had begun before that no fault explains.
    pub(crate) unexplained: u64,
    /// Pieces of work that were acknowledged and done again.
    pub(crate) duplicated: u64,
}

impl Counters {
    /// True if every promise was kept.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.unexpected + self.innocents + self.unexplained + self.duplicated == 0
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.attempted += other.attempted;
        self.acknowledged += other.acknowledged;
        self.ok += other.ok;
        self.lost += other.lost;
        self.recovered += other.recovered;
        self.unexpected += other.unexpected;
        self.innocents += other.innocents;
        self.unexplained += other.unexplained;
        self.duplicated += other.duplicated;
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} attempted, {} acknowledged, {} ok, {} lost, {} recovered, {} unexpected, {} duplicated; {} innocents failed, {} repetitions unexplained",
            self.attempted,
            self.acknowledged,
            self.ok,
            self.lost,
            self.recovered,
            self.unexpected,
            self.duplicated,
            self.innocents,
            self.unexplained
        )
    }
}
