//! Messages that could not be delivered: datums of the job fail with the reason, the rest is kept for people.

use drover_shared::datum::{Cause, Datum, StageStats, Verdict, VerdictState};
use drover_shared::ledger::{Commit, DeadLetter, Ledger};
use drover_shared::queue::Delivery;
use drover_shared::store::StoreError;
use drover_shared::wire::{Datums, Message, Task, decode};
use jiff::Timestamp;

use super::live::Live;
use crate::coordinator::{CoordinateError, Tools};

/// Who failed a datum that no worker could take.
const NOBODY: &str = "coordinator";

/// What a message from the dead queue means for the job: datums that have ended by it.
pub(crate) async fn bury(
    delivery: &Delivery,
    tools: &Tools,
    live: &Live,
) -> Result<Vec<Verdict>, CoordinateError> {
    let reason = delivery
        .why_dead
        .as_deref()
        .unwrap_or("for a reason unknown");
    match decode(&delivery.body) {
        Ok(Message::Task(task)) if task.job == live.job() => {
            Ok(fail(task, reason, &tools.ledger).await?)
        }
        // A job that has ended wants nothing of it any more.
        Ok(Message::Task(_)) => Ok(Vec::new()),
        Ok(_) | Err(_) => {
            let pipeline = live.record().pipeline;
            tracing::warn!(pipeline.name = %pipeline, "a message of {} bytes is parked: {reason}", delivery.body.len());
            let parked = DeadLetter::new(&delivery.body, reason);
            tools.ledger.save_dead_letter(&pipeline, &parked).await?;
            Ok(Vec::new())
        }
    }
}

/// Ends the datums of a task that no worker could take.
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
        Datums::Inline(datums) => Ok(datums),
        Datums::Manifest(range) => {
            let wanted = range.first..range.first.saturating_add(range.count);
            ledger.datums(task.job, range.segment, wanted).await
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
        worker: NOBODY.parse().expect("a legal id"),
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
