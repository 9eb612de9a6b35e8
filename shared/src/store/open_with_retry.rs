//! Opening a store that may not answer yet.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Location, Store, StoreError};
use crate::backoff::Backoff;

impl Store {
    /// Opens the store at `location`, retrying for `retry_budget` while the store is unavailable; a refusal ends the
    /// retries at once.
    pub async fn open_with_retry(
        location: &Location,
        retry_budget: Duration,
    ) -> Result<Self, StoreError> {
        let begun = Instant::now();
        let mut delays = Backoff::new();
        loop {
            let error = match Self::open(location).await {
                Ok(store) => return Ok(store),
                Err(error) => error,
            };
            let pause = delays.next().unwrap_or_default();
            let is_final = !matches!(error, StoreError::Unavailable { .. });
            if is_final || begun.elapsed() + pause > retry_budget {
                return Err(error);
            }
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the store {location} is unavailable; retrying in {pause:.1?}"
            );
            sleep(pause).await;
        }
    }
}
