//! The connection to the broker.

use std::time::Duration;

use drover_shared::queue::QueueError;
use drover_shared::queue::rabbitmq::{Address, Advice, ConnectOptions, RabbitMq, preflight};

pub(super) const NO_STORE: &str =
    "cannot begin without the store; check --store, the network and its credentials";
pub(super) const NO_BROKER: &str =
    "cannot begin without the broker; check --broker, the network and its credentials";

/// Connects to the broker within `timeout`, and checks that its version and settings are supported.
pub(crate) async fn broker(
    address: &Address,
    process: &str,
    timeout: Duration,
) -> Result<RabbitMq, QueueError> {
    let broker = RabbitMq::connect(address, process, ConnectOptions::within(timeout)).await?;
    // The publishing side checks `datum_timeout` against the broker's settings: it knows the specs.
    for advice in preflight(&broker.version(), Some(Duration::ZERO)) {
        match advice {
            Advice::Refusal(message) => return Err(QueueError::Refused { message }),
            Advice::Warning(message) => tracing::warn!("{message}"),
        }
    }
    Ok(broker)
}
