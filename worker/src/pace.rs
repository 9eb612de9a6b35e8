//! The pace of datums: how long they take, to decide how many messages are held.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Longer datums are not held ahead: another worker may be idle.
const LONG: Duration = Duration::from_secs(3);

/// Datums count as long until their mean falls below the bound again.
const NO_LONGER_LONG: Duration = Duration::from_secs(2);

/// Inputs that take a larger part of a datum's time to stage are staged ahead all the same.
const STAGING_SHARE: u32 = 10;

/// The pace of a worker's datums.
#[derive(Debug, Default)]
pub(crate) struct DatumPace {
    state: Mutex<PaceState>,
}

#[derive(Debug, Default)]
struct PaceState {
    /// When the datums in slots began.
    running: HashMap<u64, Instant>,
    next: u64,
    /// Means over the last few datums.
    run: Duration,
    stage: Duration,
}

/// A datum in a slot, until this guard is dropped.
#[derive(Debug)]
pub(crate) struct RunningDatum<'a> {
    pace: &'a DatumPace,
    number: u64,
}

impl DatumPace {
    /// Counts a datum as running.
    pub(crate) fn begin(&self) -> RunningDatum<'_> {
        let mut pace = self.lock();
        let number = pace.next;
        pace.next += 1;
        pace.running.insert(number, Instant::now());
        RunningDatum { pace: self, number }
    }

    /// Takes the times of a datum that has ended into account.
    pub(crate) fn ended(&self, run: Duration, stage: Duration) {
        let mut pace = self.lock();
        pace.run = (pace.run + run) / 2;
        pace.stage = (pace.stage + stage) / 2;
    }

    /// True if datums take so long that none should be held ahead. `was` is the last answer.
    pub(crate) fn is_long(&self, was: bool) -> bool {
        let pace = self.lock();
        let oldest = pace.running.values().map(Instant::elapsed).max();
        let oldest = oldest.unwrap_or_default();
        let limit = if was { NO_LONGER_LONG } else { LONG };
        let is_long = oldest >= LONG || pace.run >= limit;
        is_long && pace.stage * STAGING_SHARE < oldest.max(pace.run)
    }

    fn lock(&self) -> MutexGuard<'_, PaceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningDatum<'_> {
    fn drop(&mut self) {
        self.pace.lock().running.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn datums_are_long_while_one_runs_for_long_or_the_last_ones_did() {
        let pace = DatumPace::default();
        assert!(!pace.is_long(false));
        let running = pace.begin();
        tokio::time::advance(seconds(3)).await;
        assert!(pace.is_long(false));
        drop(running);
        assert!(!pace.is_long(false), "nothing runs");
        for _ in 0..3 {
            pace.ended(seconds(6), seconds(0));
        }
        assert!(pace.is_long(false));
        pace.ended(seconds(0), seconds(0));
        assert!(pace.is_long(true) && !pace.is_long(false));
        pace.ended(seconds(0), seconds(0));
        assert!(!pace.is_long(true));
    }

    #[test]
    fn inputs_that_take_long_to_stage_are_staged_ahead() {
        let pace = DatumPace::default();
        for _ in 0..9 {
            pace.ended(seconds(6), seconds(1));
        }
        assert!(!pace.is_long(true));
    }
}
