//! The retry budget: how long a store, a broker or a machine may fail before the worker gives up.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use drover_shared::backoff::Backoff;
use tokio::time::Instant;

/// Growing pauses while all attempts fail; no pause any more once the budget is used up. A success restores the budget, and so does
/// a time as long as the budget without a failure: datums that take long succeed seldom.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    limit: Duration,
    streak: Mutex<Option<FailureStreak>>,
}

#[derive(Debug)]
struct FailureStreak {
    since: Instant,
    last: Instant,
    delays: Backoff,
}

impl FailureStreak {
    fn begin() -> Self {
        let now = Instant::now();
        Self {
            since: now,
            last: now,
            delays: Backoff::new(),
        }
    }
}

impl RetryBudget {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            streak: Mutex::default(),
        }
    }

    /// How long to back off after a failure; none once the failures have lasted for longer than the limit.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let mut streak = self.streak.lock().unwrap_or_else(PoisonError::into_inner);
        let streak = streak.get_or_insert_with(FailureStreak::begin);
        if streak.last.elapsed() > self.limit {
            *streak = FailureStreak::begin();
        }
        streak.last = Instant::now();
        if streak.since.elapsed() > self.limit {
            None
        } else {
            streak.delays.next()
        }
    }

    /// Ends the streak of failures: something succeeded.
    pub(crate) fn restore(&self) {
        *self.streak.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_budget_is_used_up_when_nothing_succeeds() {
        let budget = RetryBudget::new(Duration::from_mins(1));
        let begun = Instant::now();
        while let Some(pause) = budget.pause() {
            tokio::time::sleep(pause).await;
        }
        assert!(begun.elapsed() > Duration::from_mins(1));
        assert!(begun.elapsed() < Duration::from_mins(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_restores_the_budget() {
        let budget = RetryBudget::new(Duration::from_mins(1));
        assert!(budget.pause().is_some());
        tokio::time::advance(Duration::from_secs(40)).await;
        assert!(budget.pause().is_some());
        tokio::time::advance(Duration::from_secs(40)).await;
        assert!(budget.pause().is_none());
        budget.restore();
        assert!(
            budget
                .pause()
                .is_some_and(|pause| pause < Duration::from_secs(1))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn failures_far_apart_are_no_streak() {
        let budget = RetryBudget::new(Duration::from_mins(1));
        for _ in 0..9 {
            assert!(budget.pause().is_some());
            tokio::time::advance(Duration::from_secs(61)).await;
        }
    }
}
