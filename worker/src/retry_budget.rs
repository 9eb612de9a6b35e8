//! How long a worker puts up with a store, a queue or a machine that fails.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use drover_shared::backoff::Backoff;
use tokio::time::Instant;

/// Longer and longer pauses while things fail without a success between; at the end of patience, none.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    trouble: Mutex<Option<Trouble>>,
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    delays: Backoff,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            trouble: Mutex::default(),
        }
    }

    /// How long to wait after a failure before trying again; none when there have been only failures for too long.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = trouble.get_or_insert_with(|| Trouble {
            since: Instant::now(),
            delays: Backoff::new(),
        });
        if trouble.since.elapsed() > self.limit {
            None
        } else {
            trouble.delays.next()
        }
    }

    /// Something succeeded.
    pub(crate) fn restore(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_when_nothing_succeeds() {
        let patience = Patience::new(Duration::from_mins(1));
        let begun = Instant::now();
        while let Some(pause) = patience.pause() {
            tokio::time::sleep(pause).await;
        }
        assert!(begun.elapsed() > Duration::from_mins(1));
        assert!(begun.elapsed() < Duration::from_mins(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_restores_it() {
        let patience = Patience::new(Duration::from_mins(1));
        assert!(patience.pause().is_some());
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(patience.pause().is_none());
        patience.restore();
        assert!(
            patience
                .pause()
                .is_some_and(|pause| pause < Duration::from_secs(1))
        );
    }
}
