//! Publishes the datums of the manifest as messages, segment by segment, within the window.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use drover_shared::datum::{Datum, Verdict};
use drover_shared::id::{JobId, PipelineName, StoreId};
use drover_shared::ledger::{Ledger, Segment};
use drover_shared::pipeline::SetRule;
use drover_shared::process::telemetry::{TRACE_TARGET, trace_context};
use drover_shared::queue::{Broker, Queue, QueueError};
use drover_shared::wire::{ManifestRange, Message, Task, TaskDatums, Trace, WireError, encode};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::sets::bundle;
use crate::coordinator::CoordinateError;

/// Bytes of the largest message with inline datums; a larger one refers to a range of the manifest.
const INLINE: usize = 256 * 1024;

/// Unconfirmed messages at the same time: enough for the broker to write them in batches.
const AT_ONCE: usize = 256;

/// Publishes messages for the workers.
pub(crate) struct Dispatcher {
    pub(crate) ledger: Ledger,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) pipeline: PipelineName,
    pub(crate) job: JobId,
    pub(crate) rule: SetRule,
    pub(crate) workers: NonZeroU32,
    /// Most messages in flight at the same time.
    pub(crate) window: u64,
}

/// A segment to be published.
#[derive(Debug)]
pub(crate) struct PendingSegment {
    pub(crate) segment: Segment,
    /// Indexes of datums that have ended already.
    pub(crate) ended: BTreeSet<u64>,
    /// True if workers must look for a verdict first: an earlier leader may have published the datums, or a range
    /// covers datums that have ended.
    pub(crate) again: bool,
}

impl PendingSegment {
    /// A segment that was just written; the verdicts in `taken` were committed before it.
    pub(crate) fn new(segment: Segment, taken: &[Verdict]) -> Self {
        Self {
            segment,
            ended: taken.iter().map(|verdict| verdict.index).collect(),
            again: !taken.is_empty(),
        }
    }
}

/// The content of a message beside its datums.
struct TaskHeader {
    total: Option<u64>,
    again: bool,
    store: Option<StoreId>,
}

/// Progress that limits how much the dispatcher may publish.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct BackPressure {
    /// Published datums that have ended.
    pub(crate) ended: u64,
    /// Number of datums of the job, once known.
    pub(crate) total: Option<u64>,
    /// True if nothing more may be published.
    pub(crate) closed: bool,
}

impl Dispatcher {
    /// Publishes segment after segment until the channel closes.
    pub(crate) async fn run(
        self,
        mut segments: mpsc::UnboundedReceiver<PendingSegment>,
        mut pressure: watch::Receiver<BackPressure>,
    ) -> Result<(), CoordinateError> {
        let queue = Queue::Datums(self.pipeline.clone());
        let identity = self.ledger.identity().await?;
        let store = identity.map(|identity| identity.id);
        let mut in_flight = InFlightMessages::default();
        let mut published = 0;
        while let Some(pending) = in_flight.meanwhile(segments.recv()).await? {
            let (segment, again) = (pending.segment, pending.again);
            let mut sets = VecDeque::from(self.sets(pending).await?);
            while let Some(set) = sets.pop_front() {
                let size = u64::try_from(set.len()).unwrap_or(u64::MAX);
                let most = self.window.saturating_mul(size);
                let room = |pressure: &BackPressure| {
                    pressure.closed || published + size <= pressure.ended + most
                };
                let pressure = async { pressure.wait_for(room).await.map(|pressure| *pressure) };
                let Ok(pressure) = in_flight.meanwhile(pressure).await? else {
                    return Ok(());
                };
                if pressure.closed {
                    return Ok(());
                }
                let header = TaskHeader {
                    total: pressure.total,
                    again,
                    store: store.clone(),
                };
                let message = self.message(segment, set, &header)?;
                let (broker, queue) = (Arc::clone(&self.broker), queue.clone());
                let publish = async move { broker.publish(&queue, message).await };
                in_flight.add(Box::pin(publish)).await?;
                published += size;
            }
        }
        in_flight.all().await
    }

    /// The sets of a segment's datums that are neither skipped nor ended.
    async fn sets(&self, pending: PendingSegment) -> Result<Vec<Vec<Datum>>, CoordinateError> {
        let entries = self.ledger.manifest(self.job, pending.segment).await?;
        let is_open = |datum: &Datum| !pending.ended.contains(&datum.index);
        let datums = entries
            .into_iter()
            .filter(|entry| entry.done.is_none())
            .map(|entry| entry.datum);
        Ok(bundle(
            datums.filter(is_open).collect(),
            self.rule,
            self.workers,
        ))
    }

    fn message(
        &self,
        segment: Segment,
        set: Vec<Datum>,
        header: &TaskHeader,
    ) -> Result<Bytes, WireError> {
        let range = range(segment, &set);
        let span = tracing::info_span!(
            target: TRACE_TARGET, parent: None, "publish", job.id = %self.job, datum.index = range.first
        );
        let trace = trace_context(&span).map(|parent| Trace {
            parent,
            published: Timestamp::now(),
        });
        let task = |datums| {
            Message::Task(Task {
                job: self.job,
                datums,
                total: header.total,
                again: header.again,
                store: header.store.clone(),
                trace: trace.clone(),
            })
        };
        match encode(&task(TaskDatums::Inline(set))) {
            Ok(inline) if inline.len() <= INLINE => Ok(inline),
            Ok(_) | Err(WireError::TooLarge { .. }) => encode(&task(TaskDatums::Manifest(range))),
            Err(error) => Err(error),
        }
    }
}

/// Messages that the broker has not confirmed yet.
#[derive(Default)]
struct InFlightMessages(FuturesUnordered<BoxFuture<'static, Result<(), QueueError>>>);

impl InFlightMessages {
    /// Awaits `other` while polling the messages in flight.
    async fn meanwhile<T>(&mut self, other: impl Future<Output = T>) -> Result<T, QueueError> {
        let mut other = std::pin::pin!(other);
        loop {
            tokio::select! {
                biased;
                Some(sent) = self.0.next() => sent?,
                waited = &mut other => return Ok(waited),
            }
        }
    }

    /// Adds a message; first waits for room if [`AT_ONCE`] are in flight.
    async fn add(
        &mut self,
        message: BoxFuture<'static, Result<(), QueueError>>,
    ) -> Result<(), QueueError> {
        while self.0.len() >= AT_ONCE
            && let Some(sent) = self.0.next().await
        {
            sent?;
        }
        self.0.push(message);
        Ok(())
    }

    /// Waits for all confirmations.
    async fn all(mut self) -> Result<(), CoordinateError> {
        while let Some(sent) = self.0.next().await {
            sent?;
        }
        Ok(())
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
