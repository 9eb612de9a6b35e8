//! The broadcast about a stopped job.

use drover_shared::id::JobId;
use drover_shared::queue::{Broker, QueueError};
use drover_shared::wire::{Control, Message, encode};

/// Tells workers about a stopped job. The broadcast is a hint; the mark in the ledger stops the job.
pub async fn broadcast_stop(broker: &dyn Broker, job: JobId) -> Result<(), QueueError> {
    match encode(&Message::Control(Control::Stop { job })) {
        Ok(body) => broker.broadcast(body).await,
        // The message has a fixed size, so encoding cannot fail.
        Err(_) => Ok(()),
    }
}
