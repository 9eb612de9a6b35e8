//! Submission of jobs: records in the store first, then the hint on the broker.

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, Submission};
use drover_shared::queue::{Broker, QueueError};
use drover_shared::store::StoreError;
use drover_shared::wire::{Control, Message, encode};

use super::pipeline_order;
use crate::coordinator::Assignment;

/// Reasons for a failed submission.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Submits jobs, given in the order of execution, and hints at them to the leaders.
pub async fn submit(
    assignments: &[Assignment],
    ledger: &Ledger,
    broker: &dyn Broker,
) -> Result<(), SubmitError> {
    for (at, assignment) in assignments.iter().enumerate() {
        let submission = Submission {
            scope: assignment.scope,
            reprocess: assignment.reprocess,
            keep_going: assignment.keep_going,
            after: read_by(assignment, &assignments[..at]),
            fingerprint: None,
        };
        // Checked before the job exists, so that no job stays behind that the broker would refuse.
        broker.declare(&assignment.pipeline.name).await?;
        ledger
            .submit(&assignment.record, &assignment.spec, &submission)
            .await?;
        hint(&assignment.record, broker).await;
    }
    Ok(())
}

/// The jobs whose output a pipeline reads.
fn read_by(assignment: &Assignment, earlier: &[Assignment]) -> Vec<JobId> {
    earlier
        .iter()
        .filter(|other| pipeline_order::reads(&assignment.pipeline, &other.pipeline.name))
        .map(|other| other.record.id)
        .collect()
}

/// Leaders that miss the hint find the job in the ledger a little later.
pub async fn hint(record: &JobRecord, broker: &dyn Broker) {
    let hint = Control::Submitted {
        pipeline: record.pipeline.clone(),
        job: record.id,
    };
    let told = match encode(&Message::Control(hint)) {
        Ok(body) => broker
            .broadcast(body)
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(problem) = told {
        tracing::warn!(job.id = %record.id, "the hint about job {} was not sent; leaders find the job in the store a little later: {problem}", record.id);
    }
}
