//! Submission of jobs: queues, then records in the store, then hints on the broker.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, Submission};
use drover_shared::queue::{Broker, QueueError};
use drover_shared::store::StoreError;
use drover_shared::wire::{Control, Message, encode};
use futures::future::join_all;
use tokio::time::timeout;

use super::pipeline_order;
use crate::coordinator::Assignment;

/// Time limit of a hint. A broker with an alarm confirms nothing, for as long as it likes.
pub(super) const HINT_LIMIT: Duration = Duration::from_secs(5);

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

/// Submits jobs, given in the order of execution, and hints at them to the leaders. Calls `on_submitted` for each job as
/// soon as the store has it; whatever the broker does from then on, the job exists. `limit` bounds the declaration of
/// all queues.
pub async fn submit(
    assignments: &[Assignment],
    ledger: &Ledger,
    broker: &dyn Broker,
    limit: Duration,
    mut on_submitted: impl FnMut(&Assignment),
) -> Result<(), SubmitError> {
    // Before the first job exists, so no job stays behind that the broker would refuse.
    declare(assignments, broker, limit).await?;
    for (at, assignment) in assignments.iter().enumerate() {
        let submission = Submission {
            scope: assignment.scope,
            reprocess: assignment.reprocess,
            keep_going: assignment.keep_going,
            after: read_by(assignment, &assignments[..at]),
            fingerprint: None,
        };
        ledger
            .submit(&assignment.record, &assignment.spec, &submission)
            .await?;
        on_submitted(assignment);
    }
    join_all(assignments.iter().map(|each| hint(&each.record, broker))).await;
    Ok(())
}

async fn declare(
    assignments: &[Assignment],
    broker: &dyn Broker,
    limit: Duration,
) -> Result<(), QueueError> {
    let declaring = async {
        for assignment in assignments {
            broker.declare(&assignment.pipeline.name).await?;
        }
        Ok(())
    };
    match timeout(limit, declaring).await {
        Ok(declared) => declared,
        Err(_) => Err(QueueError::Unavailable {
            message: format!("it did not declare the queues within {limit:?}"),
        }),
    }
}

/// The jobs whose output a pipeline reads.
fn read_by(assignment: &Assignment, earlier: &[Assignment]) -> Vec<JobId> {
    earlier
        .iter()
        .filter(|other| pipeline_order::reads(&assignment.pipeline, &other.pipeline.name))
        .map(|other| other.record.id)
        .collect()
}

/// Hints at a job to the leaders, for a few seconds at most. Leaders that miss the hint find the job in the ledger a
/// little later.
pub async fn hint(record: &JobRecord, broker: &dyn Broker) {
    let hint = Control::Submitted {
        pipeline: record.pipeline.clone(),
        job: record.id,
    };
    let told = match encode(&Message::Control(hint)) {
        Ok(body) => match timeout(HINT_LIMIT, broker.broadcast(body)).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "the broker did not confirm it within {HINT_LIMIT:?}"
            )),
        },
        Err(error) => Err(error.to_string()),
    };
    if let Err(problem) = told {
        tracing::warn!(job.id = %record.id, "the hint about job {} was not sent; leaders find the job in the store a little later: {problem}", record.id);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use async_trait::async_trait;
    use bytes::Bytes;
    use drover_shared::id::PipelineName;
    use drover_shared::queue::{Consumer, Depth, Link, Queue};

    use super::*;
    use crate::coordinator::Scope;
    use crate::testing::fixture::Fixture;

    /// A broker that accepts no message, as under an alarm, and perhaps not even a declaration.
    struct Blocked {
        declares: bool,
    }

    #[async_trait]
    impl Broker for Blocked {
        async fn declare(&self, _: &PipelineName) -> Result<(), QueueError> {
            if self.declares {
                return Ok(());
            }
            pending().await
        }

        async fn publish(&self, _: &Queue, _: Bytes) -> Result<(), QueueError> {
            pending().await
        }

        async fn consume(&self, _: &Queue, _: u16) -> Result<Box<dyn Consumer>, QueueError> {
            pending().await
        }

        async fn broadcast(&self, _: Bytes) -> Result<(), QueueError> {
            pending().await
        }

        async fn listen(&self, _: &str) -> Result<Box<dyn Consumer>, QueueError> {
            pending().await
        }

        async fn is_listening(&self, _: &str) -> Result<bool, QueueError> {
            pending().await
        }

        async fn depth(&self, _: &Queue) -> Result<Depth, QueueError> {
            pending().await
        }

        async fn purge(&self, _: &Queue) -> Result<u64, QueueError> {
            pending().await
        }

        fn link(&self) -> Link {
            let why = "memory".to_owned();
            Link::Blocked { why }
        }
    }

    const LIMIT: Duration = Duration::from_secs(3);
    /// Far more than all limits together; only a hang takes that long.
    const HANG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_job_is_told_of_once_the_store_has_it_whatever_the_broker_does() {
        let fixture = Fixture::new(3).await;
        let assignments = [
            fixture.assignment(Scope::Everything),
            fixture.assignment(Scope::Everything),
        ];
        tokio::time::pause();
        let mut told = Vec::new();
        let blocked = Blocked { declares: true };
        let submitting = submit(&assignments, &fixture.ledger, &blocked, LIMIT, |job| {
            told.push(job.record.id);
        });
        let submitted = timeout(HANG, submitting).await;
        submitted.expect("it hangs").unwrap();
        assert_eq!(told, [assignments[0].record.id, assignments[1].record.id]);
    }

    #[tokio::test]
    async fn no_job_is_left_behind_by_a_broker_that_declares_nothing() {
        let fixture = Fixture::new(3).await;
        let assignments = [fixture.assignment(Scope::Everything)];
        tokio::time::pause();
        let blocked = Blocked { declares: false };
        let submitting = submit(&assignments, &fixture.ledger, &blocked, LIMIT, |_| {});
        let submitted = timeout(HANG, submitting).await;
        assert!(submitted.expect("it hangs").is_err());
        let job = assignments[0].record.id;
        assert!(!fixture.ledger.has_job(job).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_broadcast_stop_has_a_time_limit() {
        let blocked = Blocked { declares: true };
        let told = timeout(
            HANG,
            super::super::broadcast_stop(&blocked, JobId::generate()),
        )
        .await;
        assert!(told.expect("it hangs").is_err());
    }
}
