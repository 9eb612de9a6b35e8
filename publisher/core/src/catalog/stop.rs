//! Passing on that a job is to stop.

use drover_shared::id::JobId;
use drover_shared::queue::{Broker, QueueError};
use drover_shared::wire::{Control, Message, encode};

/// Tells workers that a job is to stop. A hint: the mark in the ledger is what stops it.
pub async fn broadcast_stop(broker: &dyn Broker, job: JobId) -> Result<(), QueueError> {
    match encode(&Message::Control(Control::Stop { job })) {
        Ok(body) => broker.broadcast(body).await,
        // The message is of one size, always.
        Err(_) => Ok(()),
    }
}
