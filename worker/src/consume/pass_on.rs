//! Passing on: an automatic set whose datums turn out to be long is split. The datums that have not begun go back to the queue
//! in messages of their own, so idle workers can take them; they stay datums of the set.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_shared::datum::{CommitUnit, Datum};
use drover_shared::pipeline::SetRule;
use drover_shared::queue::{Queue, QueueError};
use drover_shared::wire::{Message, Task, TaskDatums, encode_for};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::consume::subscription::ConsumerHandle;
use crate::context::WorkerContext;
use crate::flow::SetCommits;
use crate::jobs::{HeldTask, Job};

/// Messages that the rest of a set is divided into, at most: each may be divided again.
const PARTS: usize = 16;

/// Time for the datums that wait to leave, before they are published.
const GATHERING: Duration = Duration::from_millis(50);

/// The part of a set that is passed on.
pub(super) struct PassedOn<'a> {
    job: &'a Arc<Job>,
    /// The message, without its datums.
    task: Task,
    set: Option<Arc<SetCommits>>,
    /// Cancelled once the datums that have not begun are to leave, or are recalled by the consumer.
    pub(super) recalled: CancellationToken,
    /// The same, for datums that are staged.
    pub(super) recalled_staged: CancellationToken,
    is_passing: CancellationToken,
    rest: Mutex<Vec<Datum>>,
}

impl<'a> PassedOn<'a> {
    /// Nothing passed on so far of the `task`, whose datums belong to `set`.
    pub(super) fn nothing(
        task: Task,
        set: Option<&Arc<SetCommits>>,
        job: &'a Arc<Job>,
        handle: &ConsumerHandle,
    ) -> Self {
        let is_automatic = job.pipeline.datum_set == SetRule::Automatic
            && matches!(task.unit, Some(CommitUnit::Set(_)))
            && job.key.is_some();
        Self {
            job,
            task,
            set: set.filter(|_| is_automatic).cloned(),
            recalled: handle.recalled.child_token(),
            recalled_staged: handle.recalled_staged.child_token(),
            is_passing: CancellationToken::new(),
            rest: Mutex::default(),
        }
    }

    /// Takes a datum that left before it began. False if the datum did not leave to be passed on.
    pub(super) fn take(&self, datum: &Datum, handle: &ConsumerHandle) -> bool {
        let is_passed = self.is_passing.is_cancelled()
            && !handle.recalled.is_cancelled()
            && !handle.recalled_staged.is_cancelled();
        if is_passed {
            self.rest().push(datum.clone());
        }
        is_passed
    }

    /// Passes on what has not begun whenever a datum of the set has run for long.
    pub(super) async fn watch(&self, held: &HeldTask<'_>, context: &WorkerContext) -> Infallible {
        let Some(set) = &self.set else {
            return std::future::pending().await;
        };
        set.long_run().await;
        self.is_passing.cancel();
        self.recalled.cancel();
        self.recalled_staged.cancel();
        loop {
            sleep(GATHERING).await;
            if let Err(error) = self.publish(held, context).await {
                tracing::debug!(job.id = %self.job.id, "the rest of a set cannot be passed on yet: {error}");
            }
        }
    }

    /// Publishes what was taken and not published yet.
    pub(super) async fn publish(
        &self,
        held: &HeldTask<'_>,
        context: &WorkerContext,
    ) -> Result<(), QueueError> {
        let rest = self.rest().clone();
        if rest.is_empty() {
            return Ok(());
        }
        tracing::debug!(job.id = %self.job.id, "{} datums of a set are passed on", rest.len());
        let queue = Queue::Datums(self.job.pipeline.name.clone());
        for datums in rest.chunks(rest.len().div_ceil(PARTS)) {
            let task = Task {
                datums: TaskDatums::Inline(datums.to_vec()),
                ..self.task.clone()
            };
            let Ok(message) = encode_for(&Message::Task(task), self.job.key.as_ref()) else {
                continue; // never larger than the message that brought the datums
            };
            context.broker.publish(&queue, message).await?;
            let indexes = datums.iter().map(|datum| datum.index).collect();
            held.release(&indexes);
            self.rest().retain(|datum| !indexes.contains(datum.index));
        }
        Ok(())
    }

    fn rest(&self) -> MutexGuard<'_, Vec<Datum>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
