//! Dead letters: datums of the job fail with the broker's reason; other messages are saved for inspection.

use drover_shared::datum::{Cause, Datum, StageStats, Verdict, VerdictState};
use drover_shared::ledger::{Commit, DeadLetter, Ledger};
use drover_shared::queue::Delivery;
use drover_shared::store::StoreError;
use drover_shared::wire::{Message, Task, TaskDatums, decode};
use jiff::Timestamp;

use super::live::LiveJob;
use crate::coordinator::{CoordinateError, JobContext};

/// Named as the worker in the verdict on a dead-lettered datum.
const COORDINATOR: &str = "coordinator";

/// Handles a dead letter; returns the verdicts on failed datums of the running job.
pub(crate) async fn fail_dead_lettered(
    delivery: &Delivery,
    context: &JobContext,
    live: &LiveJob,
) -> Result<Vec<Verdict>, CoordinateError> {
    let reason = delivery
        .dead_letter_reason
        .as_deref()
        .unwrap_or("for a reason unknown");
    match decode(&delivery.body) {
        Ok(Message::Task(task)) if task.job == live.job() => {
            Ok(fail(task, reason, &context.ledger).await?)
        }
        // The message belongs to a job that has ended.
        Ok(Message::Task(_)) => Ok(Vec::new()),
        Ok(_) | Err(_) => {
            let pipeline = live.record().pipeline;
            tracing::warn!(pipeline.name = %pipeline, "saved a dead letter of {} bytes: {reason}", delivery.body.len());
            let parked = DeadLetter::new(&delivery.body, reason);
            context.ledger.save_dead_letter(&pipeline, &parked).await?;
            Ok(Vec::new())
        }
    }
}

/// Commits a failure for each datum of a dead-lettered task; an earlier verdict wins.
async fn fail(task: Task, reason: &str, ledger: &Ledger) -> Result<Vec<Verdict>, StoreError> {
    let mut verdicts = Vec::new();
    let job = task.job;
    for datum in datums(task, ledger).await? {
        let verdict = undeliverable(&datum, reason);
        verdicts.push(match ledger.commit(job, &verdict).await? {
            Commit::Won => verdict,
            Commit::Lost(earlier) => *earlier,
        });
    }
    Ok(verdicts)
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
        taken_from: None,
    }
}
