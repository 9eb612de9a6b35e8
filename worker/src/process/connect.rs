//! The broker, as a worker needs it.

use std::sync::Arc;
use std::time::Duration;

use drover_shared::queue::rabbitmq::{Address, Advice, RabbitMq, preflight};
use drover_shared::queue::{Broker, QueueError};

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
