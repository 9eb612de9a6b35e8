//! Dead letters. Datums of the job that a worker rejected fail with the reason; those that the broker gave up on are
//! published again; further messages are saved for inspection. A task without the authentication code of the job's key, or
//! with a reason that does not have it, is saved, too, and ends no datum. If an older process sent the message, the datums
//! count as lost and are published again.

use std::collections::BTreeMap;

use bytes::Bytes;
use drover_shared::datum::{Cause, CommitUnit, Datum, StageStats, Verdict, VerdictState};
use drover_shared::job::JobKey;
use drover_shared::ledger::{DeadLetter, Ledger};
use drover_shared::queue::Delivery;
use drover_shared::store::StoreError;
use drover_shared::wire::{
    Authenticity, Message, Rejection, Task, TaskDatums, authenticity, decode, encode_for,
};
use jiff::Timestamp;

use super::live::LiveJob;
use crate::coordinator::{CoordinateError, JobContext};

/// Named as the worker in the verdict on a dead-lettered datum.
const COORDINATOR: &str = "coordinator";

/// The consequence of a dead letter.
pub(crate) enum DeadLetterOutcome {
    /// The datums failed, with these verdicts; none for a message that is not about the running job.
    Failed(Vec<Verdict>),
    /// The message goes to the workers again. A policy of the broker, such as a delivery limit, ended its life, and that
    /// says nothing about its datums: prefetched neighbours of a datum that kills workers are delivered as often as it.
    /// The marks of dead workers tell which datum is at fault.
    Again(Bytes),
}

/// Handles a dead letter of the pipeline; `key` belongs to the running job.
pub(crate) async fn handle_dead_letter(
    delivery: &Delivery,
    context: &JobContext,
    live: &LiveJob,
    key: &JobKey,
) -> Result<DeadLetterOutcome, CoordinateError> {
    let text = delivery
        .dead_letter_reason
        .as_deref()
        .unwrap_or("for a reason unknown");
    let Rejection {
        reason,
        is_authentic: is_rejected,
    } = Rejection::read(text, &delivery.body, key);
    let is_authentic = authenticity(&delivery.body, Some(key)) == Authenticity::Authentic;
    match decode(&delivery.body) {
        // The message belongs to a job that has ended.
        Ok(Message::Task(task)) if task.job != live.job() => {
            Ok(DeadLetterOutcome::Failed(Vec::new()))
        }
        Ok(Message::Task(task)) if is_authentic && delivery.given_up => {
            tracing::warn!(job.id = %task.job, "a message of the job was {reason}, by a policy of the broker; publishing it again");
            let task = Task {
                again: true,
                ..task
            };
            let message = encode_for(&Message::Task(task), Some(key))?;
            Ok(DeadLetterOutcome::Again(message))
        }
        Ok(Message::Task(task)) if is_authentic && is_rejected => {
            let verdicts = fail(task, &reason, &context.ledger).await?;
            Ok(DeadLetterOutcome::Failed(verdicts))
        }
        Ok(_) | Err(_) => {
            let pipeline = live.record().pipeline;
            tracing::warn!(pipeline.name = %pipeline, "saved a dead letter of {} bytes: {reason}", delivery.body.len());
            let parked = DeadLetter::new(&delivery.body, &reason);
            context.ledger.save_dead_letter(&pipeline, &parked).await?;
            Ok(DeadLetterOutcome::Failed(Vec::new()))
        }
    }
}

/// Commits a failure for each datum of a dead-lettered task; an earlier verdict wins.
async fn fail(task: Task, reason: &str, ledger: &Ledger) -> Result<Vec<Verdict>, StoreError> {
    let (job, unit) = (task.job, task.unit);
    let datums = datums(task, ledger).await?;
    let indexes: Vec<u64> = datums.iter().map(|datum| datum.index).collect();
    let units = ledger.units_of(job, &indexes, unit).await?;
    let mut by_unit: BTreeMap<CommitUnit, Vec<Verdict>> = BTreeMap::new();
    for (datum, unit) in datums.iter().zip(units) {
        let verdicts = by_unit.entry(unit).or_default();
        verdicts.push(undeliverable(datum, reason));
    }
    let mut committed = Vec::new();
    for (unit, verdicts) in by_unit {
        committed.extend(ledger.commit_all(job, unit, verdicts).await?);
    }
    Ok(committed
        .into_iter()
        .map(|committed| committed.verdict)
        .collect())
}

async fn datums(task: Task, ledger: &Ledger) -> Result<Vec<Datum>, StoreError> {
    match task.datums {
        TaskDatums::Inline(datums) => Ok(datums),
        TaskDatums::Manifest(range) => {
            let indexes = range.first..range.first.saturating_add(range.count);
            ledger.datums(task.job, range.segment, indexes).await
        }
    }
}

fn undeliverable(datum: &Datum, reason: &str) -> Verdict {
    let now = Timestamp::now();
    Verdict {
        index: datum.index,
        datum: datum.id,
        state: VerdictState::Failed,
        attempts: 0,
        worker: COORDINATOR.parse().expect("a legal id"),
        cause: Some(Cause::Undeliverable {
            message: reason.to_owned(),
        }),
        staged: String::new(),
        outputs: Vec::new(),
        stats: StageStats::default(),
        started: now,
        finished: now,
        usage: None,
        taken_from: None,
    }
}
