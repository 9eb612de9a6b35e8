//! Publishes the datums of the manifest, segment by segment, no more at a time than the window allows.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use drover_shared::datum::{Datum, Verdict};
use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::{Ledger, Segment};
use drover_shared::pipeline::SetRule;
use drover_shared::process::telemetry::{TRACED, carry};
use drover_shared::queue::{Broker, Queue, QueueError};
use drover_shared::wire::{Datums, Message, Range, Task, Trace, WireError, encode};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::sets::bundle;
use crate::coordinator::CoordinateError;

/// Largest message with its datums inline; above it they are read from the manifest.
const INLINE: usize = 256 * 1024;

/// Messages on their way to the broker at the same time: enough that it can write many at once.
const AT_ONCE: usize = 256;

/// Supplies workers with work.
pub(crate) struct Supply {
    pub(crate) ledger: Ledger,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) pipeline: PipelineName,
    pub(crate) job: JobId,
    pub(crate) rule: SetRule,
    pub(crate) workers: NonZeroU32,
    /// Messages out at the same time, at most.
    pub(crate) window: u64,
}

/// A segment to be published.
#[derive(Debug)]
pub(crate) struct Load {
    /// The segment.
    pub(crate) segment: Segment,
    /// Datums of it that have ended already.
    pub(crate) ended: BTreeSet<u64>,
    /// Whether workers are to look first whether a datum has ended: another coordinator may have published it, or
    /// a message that names a range covers some that ended.
    pub(crate) again: bool,
}

impl Load {
    /// A segment that nobody has published; the verdicts in `taken` were known before it was written.
    pub(crate) fn new(segment: Segment, taken: &[Verdict]) -> Self {
        Self {
            segment,
            ended: taken.iter().map(|verdict| verdict.index).collect(),
            again: !taken.is_empty(),
        }
    }
}

/// What the collector lets the supplier know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Standing {
    /// Datums that ended, of those published.
    pub(crate) ended: u64,
    /// How many datums the job has, once it is known.
    pub(crate) total: Option<u64>,
    /// Whether nothing more is to be published.
    pub(crate) closed: bool,
}

impl Supply {
    /// Publishes load after load until there are no more.
    pub(crate) async fn run(
        self,
        mut loads: mpsc::UnboundedReceiver<Load>,
        mut standing: watch::Receiver<Standing>,
    ) -> Result<(), CoordinateError> {
        let queue = Queue::Datums(self.pipeline.clone());
        let mut sending = Sending::default();
        let mut published = 0;
        while let Some(load) = sending.meanwhile(loads.recv()).await? {
            let (segment, again) = (load.segment, load.again);
            let mut sets = VecDeque::from(self.sets(load).await?);
            while let Some(set) = sets.pop_front() {
                let size = u64::try_from(set.len()).unwrap_or(u64::MAX);
                let most = self.window.saturating_mul(size);
                let room = |standing: &Standing| {
                    standing.closed || published + size <= standing.ended + most
                };
                let standing = async { standing.wait_for(room).await.map(|standing| *standing) };
                let Ok(standing) = sending.meanwhile(standing).await? else {
                    return Ok(());
                };
                if standing.closed {
                    return Ok(());
                }
                let message = self.message(segment, set, standing.total, again)?;
                let (broker, queue) = (Arc::clone(&self.broker), queue.clone());
                let publish = async move { broker.publish(&queue, message).await };
                sending.add(Box::pin(publish)).await?;
                published += size;
            }
        }
        sending.all().await
    }

    /// The sets of a load: what is neither skipped nor ended.
    async fn sets(&self, load: Load) -> Result<Vec<Vec<Datum>>, CoordinateError> {
        let entries = self.ledger.manifest(self.job, load.segment).await?;
        let is_open = |datum: &Datum| !load.ended.contains(&datum.index);
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
        total: Option<u64>,
        again: bool,
    ) -> Result<Bytes, WireError> {
        let range = range(segment, &set);
        let span = tracing::info_span!(
            target: TRACED, parent: None, "publish", job.id = %self.job, datum.index = range.first
        );
        let trace = carry(&span).map(|parent| Trace {
            parent,
            published: Timestamp::now(),
        });
        let task = |datums| {
            Message::Task(Task {
                job: self.job,
                datums,
                total,
                again,
                trace: trace.clone(),
            })
        };
        match encode(&task(Datums::Inline(set))) {
            Ok(inline) if inline.len() <= INLINE => Ok(inline),
            Ok(_) | Err(WireError::TooLarge { .. }) => encode(&task(Datums::Manifest(range))),
            Err(error) => Err(error),
        }
    }
}

/// Messages on their way to the broker.
#[derive(Default)]
struct Sending(FuturesUnordered<BoxFuture<'static, Result<(), QueueError>>>);

impl Sending {
    /// Waits for `other` while messages are on their way.
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

    /// Sends one more, as soon as there is room for it.
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

    /// Waits until all have arrived.
    async fn all(mut self) -> Result<(), CoordinateError> {
        while let Some(sent) = self.0.next().await {
            sent?;
        }
        Ok(())
    }
}

/// The part of the manifest that `set`, which is not empty, spans.
fn range(segment: Segment, set: &[Datum]) -> Range {
    let first = set.first().map_or(segment.first, |datum| datum.index);
    let last = set.last().map_or(first, |datum| datum.index);
    Range {
        segment: segment.first,
        first,
        count: last - first + 1,
    }
}
