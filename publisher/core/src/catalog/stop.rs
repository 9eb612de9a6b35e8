//! Stopped jobs: the broadcast to the workers, and the end of a job that no leader ends.

use drover_shared::id::JobId;
use drover_shared::job::{JobEvent, JobRecord};
use drover_shared::ledger::Ledger;
use drover_shared::queue::{Broker, QueueError};
use drover_shared::store::StoreError;
use drover_shared::wire::{Control, Message, encode_for};
use jiff::Timestamp;

use super::submit::confirmed;

/// Tells workers about a stopped job, within a few seconds or not at all. The broadcast is a hint; the mark in the ledger
/// stops the job.
pub async fn broadcast_stop(
    broker: &dyn Broker,
    ledger: &Ledger,
    job: JobId,
) -> Result<(), QueueError> {
    // Workers look for the mark if the message is not authentic.
    broadcast(broker, ledger, job, Control::Stop { job }).await
}

/// Tells workers that no other datum of a job may begin, within a few seconds or not at all.
pub async fn broadcast_close(
    broker: &dyn Broker,
    ledger: &Ledger,
    job: JobId,
) -> Result<(), QueueError> {
    broadcast(broker, ledger, job, Control::Close { job }).await
}

/// Broadcasts a message about a job, with the authentication code if its key can be read.
async fn broadcast(
    broker: &dyn Broker,
    ledger: &Ledger,
    job: JobId,
    control: Control,
) -> Result<(), QueueError> {
    let send = async {
        let key = ledger.job_key(job).await.unwrap_or_default();
        let message = Message::Control(control);
        match encode_for(&message, key.as_ref()) {
            Ok(body) => broker.broadcast(body).await,
            // The message has a fixed size, so encoding cannot fail.
            Err(_) => Ok(()),
        }
    };
    confirmed(send).await
}

/// Reason of a job that was stopped while no leader could be had.
const STOPPED: &str = "stopped on request, without a coordinator";

/// Ends a job whose stop was requested, for a process that cannot get the leadership because the broker is away. The new
/// epoch deposes a leader that cannot be reached; the first final record counts. `who` names the process for people.
pub async fn end_stopped(ledger: &Ledger, job: JobId, who: &str) -> Result<JobRecord, StoreError> {
    let pipeline = ledger.job(job).await?.pipeline;
    ledger.begin_epoch(&pipeline, who).await?;
    let mut record = ledger.job(job).await?;
    let Ok(state) = record.state.after(JobEvent::Stopped) else {
        return Ok(record);
    };
    record.state = state;
    record.reason = Some(STOPPED.to_owned());
    record.finished = Some(Timestamp::now());
    match ledger.save(&record).await {
        Ok(()) => Ok(record),
        // Somebody has ended the job meanwhile.
        Err(StoreError::Exists { .. }) => ledger.job(job).await,
        Err(error) => Err(error),
    }
}
