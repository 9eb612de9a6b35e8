//! The order of consumers at a queue with a single active consumer.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Consumers in the order of arrival; the first consumer receives.
#[derive(Debug, Default)]
pub(super) struct ConsumerOrder {
    places: watch::Sender<Vec<u64>>,
    given: AtomicU64,
}

impl ConsumerOrder {
    /// Takes a place at the end of the order.
    pub(super) fn join(&self) -> u64 {
        let place = self.given.fetch_add(1, Ordering::Relaxed);
        self.places.send_modify(|places| places.push(place));
        place
    }

    /// Waits for one's turn. Cancel-safe.
    pub(super) async fn wait_for_turn(&self, place: u64) {
        let mut places = self.places.subscribe();
        // An error is impossible: `self` holds the sender.
        let _ = places
            .wait_for(|places| places.first() == Some(&place))
            .await;
    }

    /// Leaves the order.
    pub(super) fn leave(&self, place: u64) {
        self.places
            .send_modify(|places| places.retain(|other| *other != place));
    }
}
