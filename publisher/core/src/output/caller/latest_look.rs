//! The latest look at epoch and number of a publication, without which no change is sent to a bucket.
//!
//! A process may freeze for any time between a look and the next request. So a change waits until the latest look is recent; after
//! a freeze that is the look after the freeze, which ends a publication that was superseded meanwhile.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The age up to which a look is recent. A late request may arrive for as long after its longest time.
pub const RECENT: Duration = Duration::from_secs(10);

/// The latest look that found the publication to be the newest.
#[derive(Clone, Debug)]
pub struct LatestLook(Option<watch::Receiver<Option<Instant>>>);

impl LatestLook {
    /// For a writer with a lock, which needs no looks.
    pub fn not_needed() -> Self {
        Self(None)
    }

    /// For a writer without a lock. Whoever looks sends the time of the begin of each look.
    pub fn of_looks() -> (watch::Sender<Option<Instant>>, Self) {
        let (looks, latest) = watch::channel(None);
        (looks, Self(Some(latest)))
    }

    /// Waits until the latest look is recent.
    pub(in crate::output) async fn recent(&self) {
        let Some(latest) = &self.0 else { return };
        let is_recent = |look: &Option<Instant>| look.is_some_and(|at| at.elapsed() < RECENT);
        if latest.clone().wait_for(is_recent).await.is_err() {
            // The looks have ended, and so will the publication.
            pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_waits_for_a_look_that_is_recent() {
        let (looks, latest) = LatestLook::of_looks();
        let may_change = || latest.recent().now_or_never().is_some();
        assert!(!may_change(), "before the first look");
        looks.send_replace(Some(Instant::now()));
        assert!(may_change());
        advance(RECENT).await;
        assert!(!may_change(), "after a freeze");
        looks.send_replace(Some(Instant::now()));
        assert!(may_change());
        drop(looks);
        advance(RECENT).await;
        assert!(!may_change(), "the publication is over");
        assert!(LatestLook::not_needed().recent().now_or_never().is_some());
    }
}
