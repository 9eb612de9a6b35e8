//! Submission of jobs: queues, then records in the store, then hints on the broker.

use std::time::Duration;

use drover_shared::id::{IdempotencyKey, JobId};
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, Scope, Submission};
use drover_shared::queue::{Broker, QueueError};
use drover_shared::store::StoreError;
use drover_shared::wire::{Control, Message, encode};
use futures::future::join_all;
use tokio::time::timeout;

use super::pipeline_order;
use crate::coordinator::Assignment;

/// Time limit of a hint. A broker with an alarm confirms nothing, for as long as it likes.
const HINT_LIMIT: Duration = Duration::from_secs(5);

/// Reasons for a failed submission.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The idempotency key belongs to a submission of another number of jobs.
    #[error(
        "the key {key} was used for another submission, {}; give this one a key of its own",
        known_by(*first)
    )]
    Key {
        /// The key.
        key: IdempotencyKey,
        /// The first job of the earlier submission; none for a submission without jobs.
        first: Option<JobId>,
    },
}

fn known_by(first: Option<JobId>) -> String {
    first.map_or("of no job".to_owned(), |first| {
        format!("whose first job is {first}")
    })
}

/// Limits and options of a submission.
#[derive(Clone, Debug)]
pub struct SubmitOptions {
    /// Bounds what the broker does before the jobs exist, and each hint afterwards.
    pub limit: Duration,
    /// Makes a repeated submission return the jobs of the first one.
    pub key: Option<IdempotencyKey>,
}

/// Submits jobs, given in the order of execution, and hints at them to the leaders. Calls `on_submitted` for each job as
/// soon as the store has it; whatever the broker does from then on, the job exists. A repeated submission with a key takes
/// over the ids of the first one, and submits only jobs that the first one did not get to.
pub async fn submit(
    assignments: &mut [Assignment],
    ledger: &Ledger,
    broker: &dyn Broker,
    options: &SubmitOptions,
    mut on_submitted: impl FnMut(&Assignment),
) -> Result<(), SubmitError> {
    // Before the first job exists, so no job stays behind that the broker would refuse.
    declare(assignments, broker, options.limit).await?;
    if let Some(key) = &options.key {
        take_ids(key, assignments, ledger).await?;
    }
    let assignments = &*assignments;
    for (at, assignment) in assignments.iter().enumerate() {
        let submission = Submission {
            scope: assignment.scope,
            reprocess: assignment.reprocess,
            keep_going: assignment.keep_going,
            halt: assignment.halt,
            after: read_by(assignment, &assignments[..at]),
            fingerprint: None,
            trace: assignment.trace.clone(),
        };
        if !ledger.has_job(assignment.record.id).await? {
            ledger
                .submit(&assignment.record, &assignment.spec, &submission)
                .await?;
        }
        on_submitted(assignment);
    }
    let limit = options.limit.min(HINT_LIMIT);
    let hints = assignments.iter();
    let hints = join_all(hints.map(|each| hint_within(limit, &each.record, broker))).await;
    Ok(hints.into_iter().collect::<Result<(), _>>()?)
}

/// Gives the assignments the ids of the first submission with the key.
async fn take_ids(
    key: &IdempotencyKey,
    assignments: &mut [Assignment],
    ledger: &Ledger,
) -> Result<(), SubmitError> {
    let own = assignments.iter().map(|each| each.record.id).collect();
    let jobs = ledger.jobs_of_key(key, own).await?;
    if jobs.len() != assignments.len() {
        let (key, first) = (key.clone(), jobs.first().copied());
        return Err(SubmitError::Key { key, first });
    }
    for (assignment, job) in assignments.iter_mut().zip(jobs) {
        assignment.record.id = job;
    }
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
        .filter(|other| !matches!(other.scope, Scope::First(_)))
        .filter(|other| pipeline_order::reads(&assignment.pipeline, &other.pipeline.name))
        .map(|other| other.record.id)
        .collect()
}

/// Hints at a job to the leaders, for a few seconds at most. Leaders that miss the hint find the job in the ledger a
/// little later.
pub async fn hint(record: &JobRecord, broker: &dyn Broker) {
    // A refusal was logged.
    let _ = hint_within(HINT_LIMIT, record, broker).await;
}

/// Waits for the confirmation of a broadcast that is a hint, for [`HINT_LIMIT`].
pub(super) async fn confirmed(
    broadcast: impl Future<Output = Result<(), QueueError>>,
) -> Result<(), QueueError> {
    let told = timeout(HINT_LIMIT, broadcast).await;
    told.unwrap_or_else(|_| {
        Err(QueueError::Unavailable {
            message: format!("it did not confirm a broadcast within {HINT_LIMIT:?}"),
        })
    })
}

/// Fails only if the broker refuses the hint: then the submitter lacks a permission, which no later attempt brings.
async fn hint_within(
    limit: Duration,
    record: &JobRecord,
    broker: &dyn Broker,
) -> Result<(), QueueError> {
    let hint = Control::Submitted {
        pipeline: record.pipeline.clone(),
        job: record.id,
    };
    let sent = match encode(&Message::Control(hint)) {
        Ok(body) => timeout(limit, broker.broadcast(body)).await,
        // The message has a fixed size, so encoding cannot fail.
        Err(_) => return Ok(()),
    };
    let problem = match sent {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error,
        Err(_) => QueueError::Unavailable {
            message: format!("it did not confirm a message within {limit:?}"),
        },
    };
    tracing::warn!(job.id = %record.id, "the hint about job {} was not sent; leaders find the job in the store a little later: {problem}", record.id);
    match problem {
        refused @ QueueError::Refused { .. } => Err(refused),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use async_trait::async_trait;
    use bytes::Bytes;
    use drover_shared::id::PipelineName;
    use drover_shared::queue::{Consumer, Depth, Embedded, Link, Queue};

    use super::*;
    use crate::testing::fixture::Fixture;

    /// A broker that accepts no message, as under an alarm, and perhaps not even a declaration.
    #[derive(Default)]
    struct Blocked {
        declares: bool,
        /// The user may not write.
        refuses: bool,
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
            if self.refuses {
                let message = "ACCESS_REFUSED".to_owned();
                return Err(QueueError::Refused { message });
            }
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
        let mut assignments = [
            fixture.assignment(Scope::Everything),
            fixture.assignment(Scope::Everything),
        ];
        tokio::time::pause();
        let mut told = Vec::new();
        let blocked = Blocked {
            declares: true,
            ..Blocked::default()
        };
        let options = options(None);
        let submitting = submit(
            &mut assignments,
            &fixture.ledger,
            &blocked,
            &options,
            |job| {
                told.push(job.record.id);
            },
        );
        let submitted = timeout(HANG, submitting).await;
        submitted.expect("it hangs").unwrap();
        assert_eq!(told, [assignments[0].record.id, assignments[1].record.id]);
    }

    fn options(key: Option<&str>) -> SubmitOptions {
        SubmitOptions {
            limit: LIMIT,
            key: key.map(|key| key.parse().unwrap()),
        }
    }

    #[tokio::test]
    async fn a_repeated_submission_with_a_key_gets_the_jobs_of_the_first() {
        let fixture = Fixture::new(3).await;
        let ledger = &fixture.ledger;
        let broker = Embedded::new(9);
        let mut told = Vec::new();
        for key in [Some("nightly"), Some("nightly"), None] {
            let mut assignments = [fixture.assignment(Scope::Everything)];
            let options = options(key);
            let submitting = submit(&mut assignments, ledger, &broker, &options, |job| {
                told.push(job.record.id);
            });
            submitting.await.unwrap();
        }
        assert_eq!(told[0], told[1]);
        assert_eq!(ledger.jobs().await.unwrap(), [told[0], told[2]]);
        let mut two = [
            fixture.assignment(Scope::Everything),
            fixture.assignment(Scope::Everything),
        ];
        let refused = submit(&mut two, ledger, &broker, &options(Some("nightly")), |_| {}).await;
        assert!(
            matches!(refused, Err(SubmitError::Key { .. })),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn no_job_is_left_behind_by_a_broker_that_declares_nothing() {
        let fixture = Fixture::new(3).await;
        let mut assignments = [fixture.assignment(Scope::Everything)];
        tokio::time::pause();
        let blocked = Blocked::default();
        let options = options(None);
        let submitting = submit(
            &mut assignments,
            &fixture.ledger,
            &blocked,
            &options,
            |_| {},
        );
        let submitted = timeout(HANG, submitting).await;
        assert!(submitted.expect("it hangs").is_err());
        let job = assignments[0].record.id;
        assert!(!fixture.ledger.has_job(job).await.unwrap());
    }

    #[tokio::test]
    async fn a_submitter_that_may_not_write_hears_of_it_after_the_id_of_the_job() {
        let fixture = Fixture::new(3).await;
        let mut assignments = [fixture.assignment(Scope::Everything)];
        let refusing = Blocked {
            declares: true,
            refuses: true,
        };
        let (mut told, options) = (0, options(None));
        let submitting = submit(
            &mut assignments,
            &fixture.ledger,
            &refusing,
            &options,
            |_| told += 1,
        );
        let refused = submitting.await;
        assert!(
            matches!(refused, Err(SubmitError::Queue(QueueError::Refused { .. }))),
            "{refused:?}"
        );
        assert_eq!(told, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broadcast_stop_has_a_time_limit() {
        let blocked = Blocked {
            declares: true,
            ..Blocked::default()
        };
        let ledger = Ledger::new(drover_shared::store::Store::in_memory());
        let told = timeout(
            HANG,
            super::super::broadcast_stop(&blocked, &ledger, JobId::generate()),
        )
        .await;
        assert!(told.expect("it hangs").is_err());
    }
}
