//! The two things a worker needs: the store and the broker.

use std::sync::Arc;
use std::time::Duration;

use drover_shared::backoff::Backoff;
use drover_shared::queue::rabbitmq::{Address, Advice, RabbitMq, preflight};
use drover_shared::queue::{Broker, QueueError};
use drover_shared::store::{Location, Store, StoreError};
use tokio::time::{Instant, sleep};

/// Reaches the broker within `patience`, and sees that it is fit for the work.
pub(crate) async fn broker(
    address: &Address,
    process: &str,
    patience: Duration,
) -> Result<Arc<dyn Broker>, QueueError> {
    let broker = RabbitMq::connect(address, process, patience).await?;
    // How long datums may take is for those who publish them to consider: the specs are theirs.
    for advice in preflight(&broker.version(), Some(Duration::ZERO)) {
        match advice {
            Advice::Refusal(message) => return Err(QueueError::Refused { message }),
            Advice::Warning(message) => tracing::warn!("{message}"),
        }
    }
    Ok(Arc::new(broker))
}

/// Reaches the store, trying again for `patience` if it fails; what it refuses, it would refuse again.
pub(crate) async fn store(location: &Location, patience: Duration) -> Result<Store, StoreError> {
    let begun = Instant::now();
    let mut delays = Backoff::new();
    loop {
        let error = match Store::open(location).await {
            Ok(store) => return Ok(store),
            Err(error) => error,
        };
        let pause = delays.next().unwrap_or_default();
        let is_final = !matches!(error, StoreError::Unavailable { .. });
        if is_final || begun.elapsed() + pause > patience {
            return Err(error);
        }
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the store {location} is not reached yet, the next attempt is in {pause:.1?}"
        );
        sleep(pause).await;
    }
}
