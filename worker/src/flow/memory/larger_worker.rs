//! A datum that needs more memory than the worker has, and goes to a larger worker.

use drover_shared::datum::Cause;
use drover_shared::units::DecimalSize;

use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::flow_error::{FlowError, Interruption};

/// The part of the memory of a pod that its commands can use, at least, as a divisor of the rest.
const RESERVE: u64 = 4;

/// Hands the datum back, if a live worker of its pipeline has more than the `bytes` of memory that did not suffice, or the operator
/// starts a larger one. Else returns the most memory that any worker has.
pub(in crate::flow) async fn leave_to_larger(
    claimed: &ClaimedDatum,
    bytes: u64,
    context: &WorkerContext,
) -> Result<u64, FlowError> {
    let own = context.slots.all().memory;
    if !context.settings.is_among_others {
        return Ok(own);
    }
    let largest = claimed.job.pipeline.requests.max_memory_bytes;
    let is_small = largest.is_some_and(|largest| own < largest - largest / RESERVE);
    if is_small && context.settings.pod.is_some() {
        return Err(hand_back(claimed, bytes, "a large worker", context).await);
    }
    let pipeline = &claimed.job.pipeline.name;
    let mut most = own;
    for other in context.ledger.capacities(pipeline).await? {
        if other.memory_bytes <= own || !context.broker.is_listening(other.worker.as_str()).await? {
            continue;
        }
        most = most.max(other.memory_bytes);
        if other.memory_bytes > bytes {
            return Err(hand_back(claimed, bytes, other.worker.as_str(), context).await);
        }
    }
    Ok(most)
}

/// Notes the need of the datum, and leaves the datum to the worker `to`.
async fn hand_back(
    claimed: &ClaimedDatum,
    bytes: u64,
    to: &str,
    context: &WorkerContext,
) -> FlowError {
    let (job, index) = (claimed.job.id, claimed.datum.index);
    if let Err(error) = context.ledger.note_too_little(job, index, bytes).await {
        return error.into();
    }
    let needed = DecimalSize(bytes);
    tracing::info!("the datum needs more than {needed} of memory: it is left to {to}");
    Interruption::TooLarge.into()
}

/// Hands the datum back, or fails it, if it needs more memory than the worker has, as an earlier run showed.
pub(in crate::flow) async fn check_room(
    claimed: &ClaimedDatum,
    input_bytes: u64,
    context: &WorkerContext,
) -> Result<(), FlowError> {
    let bytes = claimed.too_little;
    if bytes == 0 || bytes < context.slots.all().memory {
        return Ok(());
    }
    let most = leave_to_larger(claimed, bytes, context).await?;
    Err(FlowError::Datum(Cause::Memory {
        bytes,
        input_bytes,
        most: Some(most),
    }))
}
