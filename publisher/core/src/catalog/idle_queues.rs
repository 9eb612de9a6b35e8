//! The queues of deleted pipelines, and of pipelines unknown to the store.

use drover_shared::id::PipelineName;
use drover_shared::ledger::{IdleQueues, IdleReason, Ledger};
use drover_shared::queue::{Broker, Queue, QueueError};
use drover_shared::store::StoreError;
use jiff::{SignedDuration, Timestamp};

use super::ClusterError;

/// How long the queues of an unknown pipeline stay: a first job may be about to be published.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// The knowledge of the store about a pipeline.
#[derive(Clone, Copy, Debug)]
struct Knowledge {
    is_registered: bool,
    has_open_jobs: bool,
    /// The pipeline has records.
    is_known: bool,
}

/// The fate of the queues of a pipeline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// The pipeline needs the queues.
    Keep,
    /// Too early to say.
    Wait,
    /// No process needs the queues.
    Delete,
}

/// Deletes idle queues of the store's pipelines at the broker. Queues with consumers are left for later.
pub async fn delete_idle_queues(ledger: &Ledger, broker: &dyn Broker) -> Result<(), ClusterError> {
    for idle in ledger.idle_queues().await? {
        let pipeline = &idle.pipeline;
        let is_settled = match fate(&idle, knowledge(ledger, pipeline).await?, Timestamp::now()) {
            Fate::Keep => true,
            Fate::Wait => false,
            Fate::Delete => delete(&idle, broker).await?,
        };
        if is_settled {
            ledger.forget_idle_queues(pipeline).await?;
        }
    }
    Ok(())
}

async fn knowledge(ledger: &Ledger, pipeline: &PipelineName) -> Result<Knowledge, StoreError> {
    Ok(Knowledge {
        is_registered: ledger.registered(pipeline).await?.is_some(),
        has_open_jobs: !ledger.submitted(pipeline).await?.is_empty(),
        is_known: ledger.pipelines().await?.contains(pipeline),
    })
}

/// Pure.
fn fate(idle: &IdleQueues, knowledge: Knowledge, now: Timestamp) -> Fate {
    let is_needed = match idle.reason {
        IdleReason::Deleted => knowledge.is_registered,
        IdleReason::Unknown => knowledge.is_registered || knowledge.is_known,
    };
    let is_early = match idle.reason {
        IdleReason::Deleted => knowledge.has_open_jobs,
        IdleReason::Unknown => now.duration_since(idle.since) < GRACE,
    };
    match (is_needed, is_early) {
        (true, _) => Fate::Keep,
        (false, true) => Fate::Wait,
        (false, false) => Fate::Delete,
    }
}

/// Deletes the queues, unless a process consumes them; true if the note is settled.
async fn delete(idle: &IdleQueues, broker: &dyn Broker) -> Result<bool, QueueError> {
    let pipeline = &idle.pipeline;
    match broker.declare(pipeline).await {
        Ok(()) => {}
        Err(QueueError::Refused { message }) => {
            tracing::info!(pipeline.name = %pipeline, "the queues of {pipeline} are left alone: {message}");
            return Ok(true);
        }
        Err(error) => return Err(error),
    }
    let datums = broker.depth(&Queue::Datums(pipeline.clone())).await?;
    let reports = broker.depth(&Queue::Reports(pipeline.clone())).await?;
    if datums.consumers + reports.consumers > 0 {
        return Ok(false);
    }
    if idle.reason == IdleReason::Unknown && datums.ready > 0 {
        return Ok(true);
    }
    broker.delete_queues(pipeline).await?;
    tracing::info!(pipeline.name = %pipeline, "the idle queues of {pipeline} are deleted");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_queues_that_nobody_needs_are_deleted() {
        use IdleReason::{Deleted, Unknown};
        let now = Timestamp::now();
        let (young, old) = (now - GRACE / 2, now - GRACE * 2);
        let rows = [
            // reason, since, registered, open jobs, known
            (Deleted, young, false, false, true, Fate::Delete),
            (Deleted, old, false, true, true, Fate::Wait),
            (Deleted, old, true, false, true, Fate::Keep),
            (Unknown, young, false, false, false, Fate::Wait),
            (Unknown, old, false, false, false, Fate::Delete),
            (Unknown, old, false, false, true, Fate::Keep),
            (Unknown, old, true, false, true, Fate::Keep),
        ];
        for (reason, since, is_registered, has_open_jobs, is_known, expected) in rows {
            let idle = IdleQueues {
                pipeline: "made".parse().unwrap(),
                reason,
                since,
            };
            let knowledge = Knowledge {
                is_registered,
                has_open_jobs,
                is_known,
            };
            assert_eq!(
                fate(&idle, knowledge, now),
                expected,
                "{idle:?} {knowledge:?}"
            );
        }
    }
}
