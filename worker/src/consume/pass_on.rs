//! Passing on: waiting datums of a set go back to the queue in new messages, and stay datums of the set.
//!
//! Passing on splits an automatic set whose datums turn out to be long, so idle workers can take the rest. A worker also
//! passes on the rest of a set when the worker drains: the old message would bring the finished datums again.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_shared::datum::{Datum, IndexRanges};
use drover_shared::pipeline::SetRule;
use drover_shared::queue::{Queue, QueueError};
use drover_shared::wire::{Message, Task, TaskDatums, encode_for};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::consume::subscription::ConsumerHandle;
use crate::context::WorkerContext;
use crate::flow::SetCommits;
use crate::flow_error::{FlowError, Interruption};
use crate::jobs::{HeldTask, Job};

/// Messages that the rest of an automatic set is divided into, at most: each may be divided again.
const PARTS: usize = 16;

/// Time for waiting datums to leave before the publication.
const GATHERING: Duration = Duration::from_millis(50);

/// The part of a set to be passed on.
pub(super) struct PassedOn<'a> {
    job: &'a Arc<Job>,
    /// The message, without its datums.
    task: Task,
    /// None if nothing can be passed on.
    set: Option<Arc<SetCommits>>,
    /// True if long datums split the set.
    is_automatic: bool,
    /// Cancelled once waiting datums are to leave, or are recalled by the consumer.
    pub(super) recalled: CancellationToken,
    /// The same, for datums that are staged.
    pub(super) recalled_staged: CancellationToken,
    rest: Mutex<RestOfSet>,
}

/// Datums that left before their begin, without a new message so far.
#[derive(Default)]
struct RestOfSet {
    datums: Vec<Datum>,
    /// The reason of the last departure.
    interruption: Option<Interruption>,
}

impl<'a> PassedOn<'a> {
    /// An empty list for the `task`, whose datums belong to `set`; none for a task that no leader signed.
    pub(super) fn nothing(
        task: Task,
        set: Option<&Arc<SetCommits>>,
        job: &'a Arc<Job>,
        handle: &ConsumerHandle,
    ) -> Self {
        let set = set.filter(|_| job.key.is_some()).cloned();
        // Only the watch of a set cancels tokens of its own.
        let of_its_own = |token: &CancellationToken| match set {
            Some(_) => token.child_token(),
            None => token.clone(),
        };
        Self {
            job,
            task,
            is_automatic: job.pipeline.datum_set == SetRule::Automatic,
            recalled: of_its_own(&handle.recalled),
            recalled_staged: of_its_own(&handle.recalled_staged),
            set,
            rest: Mutex::default(),
        }
    }

    /// Takes a datum that left before its begin. False if the datum cannot be passed on.
    pub(super) fn take(&self, datum: &Datum, interruption: Interruption) -> bool {
        let leaves = matches!(
            interruption,
            Interruption::Recalled | Interruption::Draining
        );
        if !leaves || self.set.is_none() {
            return false;
        }
        let mut rest = self.rest();
        rest.datums.push(datum.clone());
        rest.interruption = Some(interruption);
        true
    }

    /// Passes on the rest once all other datums have ended. The interruption is an error if no datum of the set has begun: the
    /// old message can go back.
    pub(super) async fn finish(
        &self,
        held: &HeldTask<'_>,
        handle: &ConsumerHandle,
        context: &WorkerContext,
    ) -> Result<(), FlowError> {
        let interruption = self.rest().interruption;
        let (Some(set), Some(interruption)) = (&self.set, interruption) else {
            return Ok(());
        };
        if !set.has_begun() {
            return Err(interruption.into());
        }
        if interruption == Interruption::Draining {
            // Else the messages would come back to the current worker.
            handle.closed.cancelled().await;
        }
        Ok(self.publish(held, context).await?)
    }

    /// Splits an automatic set once a datum has run for long.
    pub(super) async fn watch(&self, held: &HeldTask<'_>, context: &WorkerContext) -> Infallible {
        let Some(set) = self.set.as_ref().filter(|_| self.is_automatic) else {
            return std::future::pending().await;
        };
        set.long_run().await;
        self.recalled.cancel();
        self.recalled_staged.cancel();
        loop {
            sleep(GATHERING).await;
            if let Err(error) = self.publish(held, context).await {
                tracing::debug!(job.id = %self.job.id, "the rest of a set cannot be passed on yet: {error}");
            }
        }
    }

    /// Publishes the datums taken and not published yet.
    async fn publish(
        &self,
        held: &HeldTask<'_>,
        context: &WorkerContext,
    ) -> Result<(), QueueError> {
        let rest = self.rest().datums.clone();
        if rest.is_empty() {
            return Ok(());
        }
        tracing::debug!(job.id = %self.job.id, "{} datums of a set are passed on", rest.len());
        let queue = Queue::Datums(self.job.pipeline.name.clone());
        let parts = if self.is_automatic { PARTS } else { 1 };
        for datums in rest.chunks(rest.len().div_ceil(parts)) {
            let task = Task {
                datums: TaskDatums::Inline(datums.to_vec()),
                ..self.task.clone()
            };
            let Ok(message) = encode_for(&Message::Task(task), self.job.key.as_ref()) else {
                continue; // never: the message is no larger than the old message
            };
            context.broker.publish(&queue, message).await?;
            let indexes: IndexRanges = datums.iter().map(|datum| datum.index).collect();
            held.release(&indexes);
            let mut rest = self.rest();
            rest.datums.retain(|datum| !indexes.contains(datum.index));
        }
        Ok(())
    }

    fn rest(&self) -> MutexGuard<'_, RestOfSet> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
