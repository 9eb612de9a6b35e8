//! Publishes the datums of the manifest as messages, segment by segment, within the window.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::datum::{IndexRanges, Verdict};
use drover_shared::ledger::Segment;
use drover_shared::pipeline::SetRule;
use drover_shared::queue::QueueError;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;

use super::tasks::{MessageInFlight, PendingSegment, TaskMessages};
use crate::coordinator::CoordinateError;

/// Unconfirmed messages at the same time: enough for the broker to write them in batches.
const AT_ONCE: usize = 256;

/// Datums published before the pace of the job matters: the first two segments.
const FIRST_DATUMS: u64 = 72;

/// Longest wait for the end of the first datum. Longer datums are best committed singly.
const PACE_WAIT: Duration = Duration::from_millis(500);

/// Publishes messages for the workers.
pub(crate) struct Dispatcher {
    pub(crate) messages: TaskMessages,
    /// Most messages in flight at the same time.
    pub(crate) window: u64,
    /// Receives the datums of each confirmed message.
    pub(crate) published: mpsc::UnboundedSender<IndexRanges>,
    /// Receives the indexes of datums before their publication, if the pipeline has limits.
    pub(crate) announced: Option<mpsc::UnboundedSender<Vec<u64>>>,
    /// Tells how many datums were published, each before its publication.
    pub(crate) counted: watch::Sender<u64>,
    /// Notified of each message.
    pub(crate) work: Arc<Notify>,
}

impl PendingSegment {
    /// A segment that was just written; the verdicts in `taken` were committed before it.
    pub(crate) fn new(segment: Segment, taken: &[Verdict]) -> Self {
        Self {
            segment,
            left_out: taken.iter().map(|verdict| verdict.index).collect(),
            again: !taken.is_empty(),
            copy: false,
        }
    }
}

/// Progress that limits how much the dispatcher may publish.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct BackPressure {
    /// Published datums that have ended.
    pub(crate) ended: u64,
    /// How many datums may be published by the limits of the pipeline.
    pub(crate) granted: u64,
    /// Number of datums of the job, once known.
    pub(crate) total: Option<u64>,
    /// True if nothing more may be published.
    pub(crate) closed: bool,
    /// Datums for each automatic set; none as long as no datum has ended.
    pub(crate) set_size: Option<NonZeroU32>,
}

impl Dispatcher {
    /// Publishes segment after segment until nothing more may be published.
    pub(crate) async fn run(
        self,
        mut segments: mpsc::UnboundedReceiver<PendingSegment>,
        mut pressure: watch::Receiver<BackPressure>,
    ) -> Result<(), CoordinateError> {
        let mut in_flight = InFlightMessages {
            messages: FuturesUnordered::new(),
            published: self.published,
        };
        let mut published = 0;
        while let Some(pending) = in_flight.meanwhile(segments.recv()).await? {
            if self.messages.rule == SetRule::Automatic && published >= FIRST_DATUMS {
                let is_known =
                    |pressure: &BackPressure| pressure.closed || pressure.set_size.is_some();
                let known = async {
                    let _ = timeout(PACE_WAIT, pressure.wait_for(is_known)).await;
                };
                in_flight.meanwhile(known).await?;
            }
            let size = pressure.borrow().set_size.unwrap_or(NonZeroU32::MIN);
            let mut sets = VecDeque::from(self.messages.sets(&pending, size).await?);
            while let Some(set) = sets.pop_front() {
                let size = u64::try_from(set.datums.len()).unwrap_or(u64::MAX);
                let most = self.window.saturating_mul(size);
                let room = |pressure: &BackPressure| {
                    let most = (pressure.ended + most).min(pressure.granted);
                    pressure.closed || published + size <= most
                };
                let pressure = async { pressure.wait_for(room).await.map(|pressure| *pressure) };
                let Ok(pressure) = in_flight.meanwhile(pressure).await? else {
                    return Ok(());
                };
                if pressure.closed {
                    return Ok(());
                }
                published += size;
                if let Some(announced) = &self.announced {
                    // The receiver is gone if the job has ended.
                    let _ = announced.send(set.datums.iter().map(|datum| datum.index).collect());
                }
                self.counted.send_replace(published);
                let message = self.messages.publish(&pending, set, pressure.total)?;
                self.work.notify_one();
                in_flight.add(message).await?;
            }
        }
        Ok(())
    }
}

/// Messages that the broker has not confirmed yet.
struct InFlightMessages {
    messages: FuturesUnordered<MessageInFlight>,
    published: mpsc::UnboundedSender<IndexRanges>,
}

impl InFlightMessages {
    /// Awaits `other` while polling the messages in flight.
    async fn meanwhile<T>(&mut self, other: impl Future<Output = T>) -> Result<T, QueueError> {
        let mut other = std::pin::pin!(other);
        loop {
            tokio::select! {
                biased;
                Some(sent) = self.messages.next() => self.note(sent?),
                waited = &mut other => return Ok(waited),
            }
        }
    }

    /// Adds a message; first waits for room if [`AT_ONCE`] are in flight.
    async fn add(&mut self, message: MessageInFlight) -> Result<(), QueueError> {
        while self.messages.len() >= AT_ONCE
            && let Some(sent) = self.messages.next().await
        {
            self.note(sent?);
        }
        self.messages.push(message);
        Ok(())
    }

    fn note(&self, datums: IndexRanges) {
        // The receiver is gone if the job has ended.
        let _ = self.published.send(datums);
    }
}
