//! Pure: how many datums began within the period of a rate.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The begins within the last period.
#[derive(Debug)]
pub(super) struct RateWindow {
    number: u64,
    period: Duration,
    begins: VecDeque<Instant>,
    /// Until then, the begins of an earlier leader or job may count.
    quiet_until: Option<Instant>,
}

impl RateWindow {
    pub(super) fn new(number: u64, period: Duration, quiet_until: Option<Instant>) -> Self {
        Self {
            number,
            period,
            begins: VecDeque::new(),
            quiet_until,
        }
    }

    pub(super) fn note(&mut self, now: Instant) {
        self.begins.push_back(now);
    }

    /// How many datums more may begin now.
    pub(super) fn room(&mut self, now: Instant) -> u64 {
        if self.quiet_until.is_some_and(|until| now < until) {
            return 0;
        }
        while self
            .begins
            .front()
            .is_some_and(|begin| now.duration_since(*begin) >= self.period)
        {
            self.begins.pop_front();
        }
        let begun = u64::try_from(self.begins.len()).unwrap_or(u64::MAX);
        self.number.saturating_sub(begun)
    }

    /// When there is more room, at the earliest; none if only a begin changes that.
    pub(super) fn next_room(&self, now: Instant) -> Option<Instant> {
        let quiet = self.quiet_until.filter(|until| now < *until);
        quiet.or_else(|| self.begins.front().map(|begin| *begin + self.period))
    }
}
