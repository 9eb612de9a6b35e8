//! Makes and publishes the messages with the datums of a job.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use drover_shared::datum::{Datum, IndexRanges};
use drover_shared::id::{JobId, PipelineName, StoreId};
use drover_shared::job::JobKey;
use drover_shared::ledger::{Ledger, Segment};
use drover_shared::pipeline::SetRule;
use drover_shared::prediction::Durations;
use drover_shared::process::telemetry::{TRACE_TARGET, join_trace, trace_context};
use drover_shared::queue::{Broker, Queue, QueueError};
use drover_shared::trace_parent::TraceParent;
use drover_shared::wire::{ManifestRange, Message, Task, TaskDatums, Trace, WireError, encode_for};
use futures::future::BoxFuture;
use jiff::Timestamp;

use super::sets::{CutRule, DatumSet, cut, grouped, long_first};
use crate::coordinator::CoordinateError;

/// Bytes of the largest message with inline datums; a larger one refers to a range of the manifest.
const INLINE: usize = 256 * 1024;

/// Maker of the messages of a job. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TaskMessages {
    pub(crate) ledger: Ledger,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) pipeline: PipelineName,
    pub(crate) job: JobId,
    /// Authenticates the messages.
    pub(crate) key: JobKey,
    pub(crate) rule: SetRule,
    pub(crate) workers: NonZeroU32,
    /// The term of the leader; none without a broker.
    pub(crate) term: Option<u64>,
    /// The identity of the store.
    pub(crate) store: Option<StoreId>,
    /// Expected durations of the datums, by earlier jobs.
    pub(crate) durations: Arc<Durations>,
    /// The trace context of the submitter.
    pub(crate) trace: Option<TraceParent>,
}

/// A segment to be published.
#[derive(Clone, Debug)]
pub(crate) struct PendingSegment {
    pub(crate) segment: Segment,
    /// Datums left out: ended, or in the hands of a worker.
    pub(crate) left_out: IndexRanges,
    /// True if workers must look for a verdict first: an earlier message may have brought the datums, or a range
    /// covers datums that have ended.
    pub(crate) again: bool,
    /// True for second copies of running datums.
    pub(crate) copy: bool,
}

/// A message under way; resolves to its datums after the confirmation by the broker.
pub(crate) type MessageInFlight = BoxFuture<'static, Result<IndexRanges, QueueError>>;

impl TaskMessages {
    /// The sets of a segment's datums, without skipped datums and `left_out`. The first leader decides on the cut of the segment;
    /// `automatic` is the size of sets without a rule. Sets that are expected to take long come first.
    pub(crate) async fn sets(
        &self,
        pending: &PendingSegment,
        automatic: NonZeroU32,
    ) -> Result<Vec<DatumSet>, CoordinateError> {
        let entries = self.ledger.manifest(self.job, pending.segment).await?;
        let todo = entries.into_iter().filter(|entry| entry.done.is_none());
        let mut datums: Vec<Datum> = todo.map(|entry| entry.datum).collect();
        let rule = CutRule {
            rule: self.rule,
            workers: self.workers,
            automatic,
        };
        let mine = cut(&datums, rule);
        let agreed = self.ledger.agree_on_sets(self.job, pending.segment, mine);
        let agreed = agreed.await?;
        datums.retain(|datum| !pending.left_out.contains(datum.index));
        let mut sets = grouped(datums, &agreed);
        long_first(&mut sets, &self.durations);
        Ok(sets)
    }

    /// Publishes a set of the segment; `total` is the number of the job's datums, once known.
    pub(crate) fn publish(
        &self,
        pending: &PendingSegment,
        set: DatumSet,
        total: Option<u64>,
    ) -> Result<MessageInFlight, WireError> {
        let indexes = set.datums.iter().map(|datum| datum.index).collect();
        let message = self.message(pending, set, total)?;
        let (broker, queue) = (
            Arc::clone(&self.broker),
            Queue::Datums(self.pipeline.clone()),
        );
        Ok(Box::pin(async move {
            broker.publish(&queue, message).await?;
            Ok(indexes)
        }))
    }

    fn message(
        &self,
        pending: &PendingSegment,
        set: DatumSet,
        total: Option<u64>,
    ) -> Result<Bytes, WireError> {
        let DatumSet { unit, datums: set } = set;
        let range = range(pending.segment, &set);
        let trace = self.trace(range.first);
        let task = |datums| {
            Message::Task(Task {
                job: self.job,
                datums,
                unit: Some(unit),
                total,
                again: pending.again,
                copy: pending.copy,
                term: self.term,
                store: self.store.clone(),
                trace: trace.clone(),
            })
        };
        let encode = |datums| encode_for(&task(datums), Some(&self.key));
        match encode(TaskDatums::Inline(set)) {
            Ok(inline) if inline.len() <= INLINE => Ok(inline),
            Ok(_) | Err(WireError::TooLarge { .. }) => encode(TaskDatums::Manifest(range)),
            Err(error) => Err(error),
        }
    }

    /// The trace context of the message whose first datum has this index. A process without a collector passes on the
    /// context of the submitter.
    fn trace(&self, index: u64) -> Option<Trace> {
        let span = tracing::info_span!(
            target: TRACE_TARGET, parent: None, "publish", job.id = %self.job, datum.index = index
        );
        if let Some(parent) = &self.trace {
            join_trace(&span, parent);
        }
        let parent = trace_context(&span).or_else(|| self.trace.clone())?;
        Some(Trace {
            parent: parent.to_string(),
            published: Timestamp::now(),
        })
    }
}

/// The range of the manifest spanned by `set`, which is not empty.
fn range(segment: Segment, set: &[Datum]) -> ManifestRange {
    let first = set.first().map_or(segment.first, |datum| datum.index);
    let last = set.last().map_or(first, |datum| datum.index);
    ManifestRange {
        segment: segment.first,
        first,
        count: last - first + 1,
    }
}
