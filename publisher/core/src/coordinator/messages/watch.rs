//! The watch over the messages of a job: looks at the queue, asks the workers, publishes lost datums again.

use std::num::NonZeroU32;
use std::time::Duration;

use drover_shared::datum::IndexRanges;
use drover_shared::id::{JobId, WorkerId};
use drover_shared::ledger::Segment;
use drover_shared::queue::Depth;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::inquiry::{Answer, Inquiry, depth};
use super::missing::{Holdings, MissingDatums};
use crate::coordinator::CoordinateError;
use crate::coordinator::dispatch::tasks::{PendingSegment, TaskMessages};

/// Interval between two looks at the queue.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Watches the messages of a job. At most one look, inquiry or publication is under way at a time.
pub(crate) struct MessageWatch {
    messages: TaskMessages,
    missing: MissingDatums,
    /// The datums of messages published by the dispatcher.
    published: mpsc::UnboundedReceiver<IndexRanges>,
    under_way: FuturesUnordered<BoxFuture<'static, Result<Observation, CoordinateError>>>,
    open_inquiry: Option<OpenInquiry>,
    /// Segments of an earlier leader, to be published after the inquiry.
    pending: Vec<PendingSegment>,
    look_at: Instant,
}

/// The work of a job without a verdict, as its leader knows it.
pub(crate) trait OpenWork {
    /// Datums without a verdict.
    fn outstanding(&self) -> IndexRanges;
    /// Segments with outstanding datums.
    fn open_segments(&self) -> Vec<Segment>;
    /// Running datums and their workers, as reported.
    fn running(&self) -> Vec<(WorkerId, u64)>;
    /// True while messages for workers may be published.
    fn may_publish(&self) -> bool;
}

/// An inquiry under way.
struct OpenInquiry {
    name: String,
    answers: mpsc::UnboundedSender<Answer>,
}

/// Something learnt of the messages.
pub(crate) enum Observation {
    /// The broker has confirmed the messages of the datums.
    Published(IndexRanges),
    /// The datums queue as it is.
    Looked(Depth),
    /// The answers of the workers.
    Inquired(Holdings),
    /// The broker did not answer, or it is time for the next look.
    Nothing,
}

impl MessageWatch {
    /// Watches the messages of the dispatcher. If an earlier leader has published datums of the `pending` segments, the
    /// workers are asked for them first.
    pub(crate) fn new(
        messages: TaskMessages,
        published: mpsc::UnboundedReceiver<IndexRanges>,
        pending: Vec<PendingSegment>,
    ) -> Self {
        let now = Instant::now();
        let mut watch = Self {
            messages,
            missing: MissingDatums::new(now),
            published,
            under_way: FuturesUnordered::new(),
            open_inquiry: None,
            look_at: now + LOOK_EVERY,
            pending,
        };
        if !watch.pending.is_empty() {
            watch.ask(Vec::new());
        }
        watch
    }

    /// The next observation. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Observation, CoordinateError> {
        tokio::select! {
            biased;
            Some(published) = self.published.recv() => Ok(Observation::Published(published)),
            Some(observed) = self.under_way.next() => observed,
            () = sleep_until(self.look_at), if self.under_way.is_empty() => {
                self.look_at = Instant::now() + LOOK_EVERY;
                self.look();
                Ok(Observation::Nothing)
            }
        }
    }

    /// Draws the conclusion from an observation. Returns segments for the dispatcher.
    pub(crate) fn take(
        &mut self,
        observed: Observation,
        work: &dyn OpenWork,
    ) -> Vec<PendingSegment> {
        let now = Instant::now();
        match observed {
            Observation::Nothing => {}
            Observation::Published(datums) => self.missing.note_published(&datums),
            Observation::Looked(depth) => {
                let outstanding = work.outstanding();
                if self.missing.look(depth.ready, &outstanding, now) && work.may_publish() {
                    self.ask(work.running());
                }
            }
            Observation::Inquired(holdings) if !self.pending.is_empty() => {
                self.missing.note_held(&holdings, now);
                let mut pending = std::mem::take(&mut self.pending);
                for segment in &mut pending {
                    segment.left_out.extend(&holdings.held);
                }
                return pending;
            }
            Observation::Inquired(holdings) => {
                let outstanding = work.outstanding();
                let missing = self.missing.judge(&holdings, &outstanding, now);
                if !missing.is_empty() && work.may_publish() {
                    self.publish_again(missing, work.open_segments());
                }
            }
        }
        Vec::new()
    }

    /// True if every outstanding datum was published and no message waits.
    pub(crate) fn is_nothing_queued(&self, depth: Depth, work: &dyn OpenWork) -> bool {
        depth.ready == 0 && self.missing.is_all_published(&work.outstanding())
    }

    /// Publishes second copies of running datums.
    pub(crate) fn copy(&mut self, datums: IndexRanges, work: &dyn OpenWork) {
        tracing::info!(
            job.id = %self.messages.job,
            "{} datums take far longer than predicted, first datum {}; a second copy of each is queued",
            datums.len(), datums.first().unwrap_or_default(),
        );
        self.publish_once_more(datums, work.open_segments(), true);
    }

    /// Takes a worker's answer to the inquiry of the name.
    pub(crate) fn take_answer(&self, inquiry: &str, answer: Answer) {
        if let Some(open) = self
            .open_inquiry
            .as_ref()
            .filter(|open| open.name == inquiry)
        {
            // The receiver is gone if the inquiry has ended.
            let _ = open.answers.send(answer);
        }
    }

    fn look(&mut self) {
        let (broker, pipeline) = (self.messages.broker.clone(), self.messages.pipeline.clone());
        self.under_way.push(Box::pin(async move {
            let depth = depth(&*broker, &pipeline).await;
            Ok(depth.map_or_else(
                |error| {
                    tracing::debug!("the queue of a job cannot be looked at: {error}");
                    Observation::Nothing
                },
                Observation::Looked,
            ))
        }));
    }

    fn ask(&mut self, running: Vec<(WorkerId, u64)>) {
        let name = JobId::generate().to_string();
        let inquiry = Inquiry {
            broker: self.messages.broker.clone(),
            pipeline: self.messages.pipeline.clone(),
            job: self.messages.job,
            key: self.messages.key,
            term: self.messages.term,
            name: name.clone(),
            running,
        };
        let (answers, receiver) = mpsc::unbounded_channel();
        self.open_inquiry = Some(OpenInquiry { name, answers });
        self.under_way.push(Box::pin(async move {
            let holdings = inquiry.run(receiver).await;
            let holdings = holdings.unwrap_or_else(|error| {
                tracing::debug!("the workers cannot be asked for what they hold: {error}");
                Holdings::unknown()
            });
            Ok(Observation::Inquired(holdings))
        }));
    }

    /// Publishes lost datums again, beside the dispatcher, whose window counts the datums already.
    fn publish_again(&mut self, missing: IndexRanges, segments: Vec<Segment>) {
        tracing::warn!(
            job.id = %self.messages.job,
            "{} datums are neither queued nor held by a worker, first datum {}; publishing them again",
            missing.len(), missing.first().unwrap_or_default(),
        );
        self.publish_once_more(missing, segments, false);
    }

    fn publish_once_more(&mut self, datums: IndexRanges, segments: Vec<Segment>, copy: bool) {
        let messages = self.messages.clone();
        self.under_way.push(Box::pin(async move {
            for segment in segments {
                let mut all = IndexRanges::default();
                all.insert(segment.indexes());
                let left_out = all.difference(&datums);
                if all.intersection(&datums).is_empty() {
                    continue;
                }
                let pending = PendingSegment {
                    segment,
                    left_out,
                    again: true,
                    copy,
                };
                for set in messages.sets(&pending, NonZeroU32::MIN).await? {
                    messages.publish(&pending, set, None)?.await?;
                }
            }
            Ok(Observation::Published(datums))
        }));
    }
}
