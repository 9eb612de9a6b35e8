//! Delays between attempts at the broker.

use std::time::Duration;

use tokio::time::sleep;

use crate::backoff::Backoff;

/// The first pause, and the longest: a broker's restart takes longer than either.
pub(super) const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Delays that double up to a second, with jitter, so clients that lost the same broker do not return at once.
#[derive(Debug)]
pub(super) struct RetryDelays(Backoff);

impl RetryDelays {
    pub(super) fn new() -> Self {
        Self(Backoff::between(FIRST_DELAY, LONGEST_DELAY))
    }

    /// Waits a little, and longer the next time.
    pub(super) async fn wait(&mut self) {
        sleep(self.0.next().unwrap_or(LONGEST_DELAY)).await;
    }
}
