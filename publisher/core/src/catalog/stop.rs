//! The broadcast about a stopped job.

use drover_shared::id::JobId;
use drover_shared::queue::{Broker, QueueError};
use drover_shared::wire::{Control, Message, encode};
use tokio::time::timeout;

use super::submit::HINT_LIMIT;

/// Tells workers about a stopped job, within a few seconds or not at all. The broadcast is a hint; the mark in the ledger
/// stops the job.
pub async fn broadcast_stop(broker: &dyn Broker, job: JobId) -> Result<(), QueueError> {
    let Ok(body) = encode(&Message::Control(Control::Stop { job })) else {
        // The message has a fixed size, so encoding cannot fail.
        return Ok(());
    };
    match timeout(HINT_LIMIT, broker.broadcast(body)).await {
        Ok(sent) => sent,
        Err(_) => Err(QueueError::Unavailable {
            message: format!("it did not confirm a broadcast within {HINT_LIMIT:?}"),
        }),
    }
}
