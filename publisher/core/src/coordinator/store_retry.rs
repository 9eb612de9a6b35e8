//! Retries of steps that a store in passing trouble refuses, where no other process can go on with the job.
//!
//! A leader with successors leaves the job to the next leader. The job of a single command has no next leader, so each step
//! of the end is repeated for a while before the trouble fails the job.

use std::time::Duration;

use drover_shared::backoff::Backoff;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{CoordinateError, Fence};

/// Repetitions of a step end after the time, counted from the first failure.
const BUDGET: Duration = Duration::from_mins(2);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs `act` until success, lasting trouble, the end of the budget, or a cancelled `stop`; returns the last result.
/// `what` names the step for people. Without effect if the job has another leader to go to.
pub(super) async fn retry_passing_trouble<T, F>(
    fence: &Fence,
    stop: &CancellationToken,
    what: &str,
    mut act: impl FnMut() -> F,
) -> Result<T, CoordinateError>
where
    F: Future<Output = Result<T, CoordinateError>>,
{
    let mut pauses = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
    let mut until = None;
    loop {
        let error = match act().await {
            Err(error) if !fence.has_successors() && error.may_pass_soon() => error,
            ended => return ended,
        };
        let now = Instant::now();
        let until = *until.get_or_insert(now + BUDGET);
        let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
        if now + pause > until {
            return Err(error);
        }
        tell(what, &error, until - now);
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return act().await;
        }
    }
}

fn tell(what: &str, error: &CoordinateError, left: Duration) {
    let (error, left) = (error as &dyn std::error::Error, left.as_secs());
    tracing::warn!(
        error,
        "{what} waits for the store to work again, {left} s more at most"
    );
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use drover_shared::id::PipelineName;
    use drover_shared::ledger::Ledger;
    use drover_shared::store::{Store, StoreError, StoreKey};

    use super::*;

    fn trouble() -> CoordinateError {
        let (key, source) = (StoreKey::root(), io::Error::other("503").into());
        StoreError::Unavailable { key, source }.into()
    }

    fn refusal() -> CoordinateError {
        let (key, source) = (StoreKey::root(), io::Error::other("403").into());
        StoreError::Denied { key, source }.into()
    }

    /// Calls of a step with failures for a while, and the result.
    async fn calls(
        fence: &Fence,
        stop: &CancellationToken,
        lasts: Duration,
        error: fn() -> CoordinateError,
    ) -> (u32, bool) {
        let (begun, calls) = (Instant::now(), Cell::new(0));
        let ended = retry_passing_trouble(fence, stop, "a step", || {
            calls.set(calls.get() + 1);
            let is_over = begun.elapsed() >= lasts;
            std::future::ready(if is_over { Ok(()) } else { Err(error()) })
        });
        let is_ok = ended.await.is_ok();
        (calls.get(), is_ok)
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_that_passes_is_waited_for_and_other_trouble_fails_within_the_budget() {
        let never = CancellationToken::new();
        let outage = Duration::from_secs(40);
        let (_, is_ok) = calls(&Fence::Lock, &never, outage, trouble).await;
        assert!(is_ok);
        let begun = Instant::now();
        let for_ever = Duration::from_secs(100_000);
        let (_, is_ok) = calls(&Fence::Lock, &never, for_ever, trouble).await;
        assert!(!is_ok && begun.elapsed() <= BUDGET, "{:?}", begun.elapsed());
        assert_eq!(
            calls(&Fence::Lock, &never, outage, refusal).await,
            (1, false)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_with_successors_does_not_wait() {
        let ledger = Ledger::new(Store::in_memory());
        let pipeline: PipelineName = "p".parse().unwrap();
        let fence = Fence::begin(&ledger, &pipeline, "me").await.unwrap();
        let never = CancellationToken::new();
        let outage = Duration::from_secs(40);
        assert_eq!(calls(&fence, &never, outage, trouble).await, (1, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait_with_one_more_attempt() {
        let stop = CancellationToken::new();
        stop.cancel();
        let for_ever = Duration::from_secs(100_000);
        let ended = calls(&Fence::Lock, &stop, for_ever, trouble).await;
        assert_eq!(ended, (2, false));
    }
}
