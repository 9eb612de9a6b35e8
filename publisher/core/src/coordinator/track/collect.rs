//! Collects manifest events, reports and dead letters of one job until the job's outcome is decided.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use drover_shared::datum::Verdict;
use drover_shared::job::{JobEvent, JobKey};
use drover_shared::ledger::Segment;
use drover_shared::prediction::UsageModel;
use drover_shared::queue::{Consumer, Delivery, Depth, Queue, QueueError};
use drover_shared::wire::{Control, Event, Message, Report, encode_for};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::dead::{DeadLetterOutcome, handle_dead_letter};
use super::decide::Expansion;
use super::live::LiveJob;
use super::stragglers::Stragglers;
use super::tally::TallyChange;
use super::trust::{REFUSED, Refusal, Reports, reports};
use crate::coordinator::dispatch::dispatcher::BackPressure;
use crate::coordinator::dispatch::tasks::PendingSegment;
use crate::coordinator::limits::gate::LimitGate;
use crate::coordinator::limits::shared::Demand;
use crate::coordinator::manifest::write::ManifestEvent;
use crate::coordinator::messages::inquiry::Answer;
use crate::coordinator::messages::watch::{MessageWatch, Observation, OpenWork};
use crate::coordinator::store_retry::retry_passing_trouble;
use crate::coordinator::{CoordinateError, JobContext, StopRequest};

/// Interval between two snapshots for display.
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// The shortest wait for a limit that grants more by the clock.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);
/// Time limit of a request to the broker for a stopped job.
const BROKER_LIMIT: Duration = Duration::from_secs(5);
/// Interval between two looks at the workers of a job that is closing.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time without a running datum after which a job that is closing waits for no worker.
const QUIET: Duration = Duration::from_secs(15);
/// The record is saved with every n-th snapshot.
const SHOWN_TO_SAVED: u32 = 20;

/// Event loop of one job.
pub(crate) struct Collector<'a> {
    pub(crate) context: &'a JobContext,
    /// Authenticates the reports of the job.
    pub(crate) key: JobKey,
    pub(crate) live: &'a mut LiveJob,
    pub(crate) reports: &'a mut dyn Consumer,
    /// The pipeline's dead-letter queue.
    pub(crate) dead: Box<dyn Consumer>,
    pub(crate) events: mpsc::Receiver<ManifestEvent>,
    /// Datums that the dispatcher is about to publish, if the pipeline has limits.
    pub(crate) announced: mpsc::UnboundedReceiver<Vec<u64>>,
    /// To the dispatcher. Unbounded, because the collector must never wait for the dispatcher; small, because a segment is
    /// one entry.
    pub(crate) pending: mpsc::UnboundedSender<PendingSegment>,
    pub(crate) pressure: watch::Sender<BackPressure>,
    pub(crate) messages: MessageWatch,
    pub(crate) sealing: FuturesUnordered<Sealing>,
    /// Dead letters that are being published again.
    pub(crate) republishing: FuturesUnordered<Republishing>,
    /// The limits of the pipeline.
    pub(crate) gate: LimitGate,
    /// Tells the shared limits how much there is to do.
    pub(crate) demand: watch::Sender<Demand>,
    /// The smallest allotment of the shared limits.
    pub(crate) allotted: watch::Receiver<Option<u64>>,
    /// The running datums, if stragglers are copied.
    pub(crate) stragglers: Option<Stragglers>,
    /// Needs of the datums of earlier jobs.
    pub(crate) history: UsageModel,
    /// Broadcasts under way, to workers that run a copy of an ended datum.
    pub(crate) broadcasts: FuturesUnordered<Broadcast>,
    /// The wait for running datums, once the job begins no further datum.
    pub(crate) closing: Option<Closing>,
    /// Datums finished by workers before the collector started.
    pub(crate) ended_before: u64,
}

/// The time from when no other datum begins to the end of the running ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    since: tokio::time::Instant,
    look_at: tokio::time::Instant,
}

/// A segment being sealed.
pub(crate) type Sealing = Pin<Box<dyn Future<Output = Result<(), CoordinateError>> + Send>>;

/// A dead letter that is being published again.
pub(crate) type Republishing = Pin<Box<dyn Future<Output = Result<(), QueueError>> + Send>>;

/// A broadcast, with a time limit. A lost broadcast does no harm.
pub(crate) type Broadcast = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Collector<'_> {
    /// Runs until all datums have ended or the job is stopped.
    pub(crate) async fn run(&mut self) -> Result<JobEvent, CoordinateError> {
        let mut requests = self.context.control.requests();
        let mut clock = interval(SHOW_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shown = 0;
        loop {
            tokio::select! {
                // A segment must be known before reports on its datums are counted.
                biased;
                Some(event) = self.events.recv() => self.take_manifest_event(event),
                // A datum is under way before its reports arrive.
                Some(announced) = self.announced.recv() => self.take_announcement(announced),
                Ok(()) = requests.changed() => self.take_stop_request(requests.borrow_and_update().clone()),
                Some(sealed) = self.sealing.next() => sealed?,
                delivery = self.reports.next() => self.take(delivery?).await?,
                delivery = self.dead.next() => self.take_dead_letter(delivery?).await?,
                Some(republished) = self.republishing.next() => republished?,
                Some(()) = self.broadcasts.next() => {}
                observed = self.messages.next() => self.take_observation(observed?),
                _ = clock.tick() => {
                    shown += 1;
                    self.show(shown % SHOWN_TO_SAVED == 0).await?;
                    self.look_at_closing().await;
                }
                Ok(()) = self.allotted.changed() => {}
                () = more_is_granted(self.gate.next_change(tokio::time::Instant::now())) => {}
            }
            self.update_back_pressure();
            match self.live.advance()? {
                Some(JobEvent::Began) => self.show(true).await?,
                Some(event) => return self.conclude(event).await,
                None => {}
            }
        }
    }

    fn take_manifest_event(&mut self, event: ManifestEvent) {
        match event {
            ManifestEvent::Segment {
                segment,
                skipped,
                redone,
                taken,
            } => {
                self.live.tally.open(segment, &skipped);
                self.live.tally.replace(&redone);
                let pending = PendingSegment::new(segment, &taken);
                for verdict in taken {
                    if let Some((segment, verdicts)) = self.live.note_verdict(verdict) {
                        self.seal(segment, verdicts);
                    }
                }
                if self.live.tally.is_open(segment) {
                    self.dispatch([pending]);
                }
            }
            ManifestEvent::Expanded => {
                self.live.expansion = Expansion::Complete;
            }
            ManifestEvent::Broken(reason) => {
                self.live.expansion = Expansion::Broken;
                self.live.give_reason(reason);
            }
        }
    }

    fn take_announcement(&mut self, datums: Vec<u64>) {
        for index in datums {
            let is_outstanding = self.live.tally.is_outstanding(index);
            self.gate.note_published(index, is_outstanding);
        }
    }

    fn take_observation(&mut self, observed: Observation) {
        if let Observation::Looked(depth) = observed {
            self.copy_stragglers(depth);
        }
        let segments = self.messages.take(observed, self.live);
        if !segments.is_empty() {
            let outstanding = self.live.outstanding();
            for segment in &segments {
                let held = segment.left_out.intersection(&outstanding);
                self.gate.set_held(held.ranges().flatten());
            }
        }
        self.dispatch(segments);
    }

    /// Publishes second copies of the stragglers, if workers are idle.
    fn copy_stragglers(&mut self, depth: Depth) {
        let now = tokio::time::Instant::now();
        let Some(stragglers) = &mut self.stragglers else {
            return;
        };
        let is_idle = depth.consumers > 1
            && stragglers.has_long_run(now)
            && self.live.expansion == Expansion::Complete
            && self.live.may_publish()
            && self.messages.is_nothing_queued(depth, self.live);
        if !is_idle {
            return;
        }
        let mut known = self.history.clone();
        known.add(self.live.tally.learned());
        let due = stragglers.take_due(&known.durations(), now);
        if !due.is_empty() {
            self.messages.copy(due, self.live);
        }
    }

    /// Tells the workers of the verdict on a datum with several runs.
    fn end_copies(&mut self, index: u64) {
        let stragglers = self.stragglers.as_mut();
        if !stragglers.is_some_and(|stragglers| stragglers.note_ended(index)) {
            return;
        }
        let job = self.live.job();
        let datums = [index].into_iter().collect();
        let message = Message::Control(Control::Committed { job, datums });
        let Ok(message) = encode_for(&message, Some(&self.key)) else {
            return; // never: the message is small
        };
        let broker = Arc::clone(&self.context.broker);
        self.broadcasts.push(Box::pin(async move {
            if !matches!(timeout(BROKER_LIMIT, broker.broadcast(message)).await, Ok(Ok(()))) {
                tracing::debug!(job.id = %job, datum.index = index, "the workers were not told that a datum has ended; they find out by themselves");
            }
        }));
    }

    async fn show(&mut self, save: bool) -> Result<(), CoordinateError> {
        let snapshot = self.live.snapshot(Instant::now());
        self.context.show(snapshot, save).await
    }

    /// Passes segments to the dispatcher.
    pub(crate) fn dispatch(&self, segments: impl IntoIterator<Item = PendingSegment>) {
        for segment in segments {
            // The dispatcher stops receiving once no new datum may begin.
            let _ = self.pending.send(segment);
        }
    }

    fn take_stop_request(&mut self, request: StopRequest) {
        if let StopRequest::Stop { reason } = &request {
            self.live.give_reason(reason.clone());
        }
        self.live.stop_request = request;
    }

    async fn take(&mut self, delivery: Delivery) -> Result<(), CoordinateError> {
        let refusal = match reports(&delivery.body, self.live.job(), &self.key) {
            Ok(Reports::Authentic(reports)) => {
                for report in reports {
                    if let Event::Held {
                        inquiry,
                        worker,
                        datums,
                    } = report.event
                    {
                        self.messages
                            .take_answer(&inquiry, Answer { worker, datums });
                        continue;
                    }
                    let report = with_verdict(report, self.context).await?;
                    self.note(report);
                }
                None
            }
            Ok(Reports::Hints { reports, forged }) => {
                let unfounded = self.follow_hints(reports).await?;
                let forged = forged.then_some(Refusal::Forged);
                forged.or(unfounded.then_some(Refusal::Unfounded))
            }
            Err(refusal) => Some(refusal),
        };
        if let Some(refusal) = refusal {
            let (reason, label) = (refusal.reason(), refusal.label());
            tracing::warn!(job.id = %self.live.job(), "dead-lettering a message on the reports queue: {reason}");
            metrics::counter!(REFUSED, "reason" => label).increment(1);
            delivery.reject(reason).await?;
        } else {
            // The verdicts are in the ledger already, so the ack needs no checkpoint.
            delivery.ack().await?;
        }
        Ok(())
    }

    fn note(&mut self, report: Report) {
        let now = tokio::time::Instant::now();
        match &report.event {
            Event::Running { index, .. } if self.live.tally.is_outstanding(*index) => {
                self.gate.note_begun(*index, now);
                if let Some(stragglers) = &mut self.stragglers {
                    stragglers.note_running(&report, now);
                }
            }
            Event::Retrying { index, .. } => {
                self.gate.note_attempt(now);
                if let Some(stragglers) = &mut self.stragglers {
                    stragglers.note_retrying(*index, now);
                }
            }
            Event::Ended { verdict, .. } if self.live.tally.is_outstanding(verdict.index) => {
                self.gate.note_ended(verdict.index, now);
                self.end_copies(verdict.index);
            }
            _ => {}
        }
        if let Some((segment, verdicts)) = self.live.note(report) {
            self.seal(segment, verdicts);
        }
    }

    /// Notes the verdicts in the ledger that the reports name. Returns true if a datum has none.
    async fn follow_hints(&mut self, reports: Vec<Report>) -> Result<bool, CoordinateError> {
        let mut unfounded = false;
        for report in reports {
            let (index, first) = match &report.event {
                Event::Ended { verdict, first } => (verdict.index, *first),
                Event::Committed { index, first } => (*index, *first),
                // These change what is shown, or end the wait for the workers of a stopped job.
                Event::Running { .. }
                | Event::Retrying { .. }
                | Event::Held { .. }
                | Event::Released { .. } => continue,
            };
            if !self.live.tally.is_outstanding(index) {
                continue;
            }
            let event = Event::Committed { index, first };
            let report = with_verdict(Report { event, ..report }, self.context).await?;
            match report.event {
                Event::Ended { .. } => self.note(report),
                _ => unfounded = true,
            }
        }
        Ok(unfounded)
    }

    /// Fails the datums of a dead-lettered message, or publishes the message again.
    async fn take_dead_letter(&mut self, delivery: Delivery) -> Result<(), CoordinateError> {
        let verdicts =
            match handle_dead_letter(&delivery, self.context, self.live, &self.key).await? {
                DeadLetterOutcome::Failed(verdicts) => verdicts,
                DeadLetterOutcome::Again(body) => {
                    self.publish_again(delivery, body);
                    return Ok(());
                }
            };
        for verdict in verdicts {
            if self.live.tally.is_outstanding(verdict.index) {
                self.gate
                    .note_ended(verdict.index, tokio::time::Instant::now());
            }
            if let Some((segment, verdicts)) = self.live.note_verdict(verdict) {
                self.seal(segment, verdicts);
            }
        }
        delivery.ack().await?;
        Ok(())
    }

    /// Publishes a dead-lettered message again, and acks the dead letter once the broker has confirmed the message. The
    /// broker may take its time, so the collector does not wait.
    fn publish_again(&self, delivery: Delivery, body: Bytes) {
        let broker = Arc::clone(&self.context.broker);
        let queue = Queue::Datums(self.live.record().pipeline);
        self.republishing.push(Box::pin(async move {
            broker.publish(&queue, body).await?;
            delivery.ack().await?;
            Ok(())
        }));
    }

    fn seal(&self, segment: Segment, verdicts: Vec<Verdict>) {
        let (ledger, job) = (self.context.ledger.clone(), self.live.job());
        let fence = self.context.fence.clone();
        self.sealing.push(Box::pin(async move {
            let what = format!("the seal of segment {segment} of job {job}");
            retry_passing_trouble(&fence, &CancellationToken::new(), &what, || async {
                Ok(ledger.seal(job, segment, &verdicts).await?)
            })
            .await
        }));
    }

    fn update_back_pressure(&mut self) {
        let counts = self.live.tally.counts();
        let expansion = self.live.expansion;
        let ended = self.live.tally.worked() - self.ended_before;
        let demand = Demand {
            outstanding: counts.outstanding(),
            under_way: self.gate.under_way(),
        };
        self.demand
            .send_if_modified(|now| std::mem::replace(now, demand) != demand);
        let allotted = *self.allotted.borrow_and_update();
        let now = tokio::time::Instant::now();
        let pressure = BackPressure {
            ended,
            granted: self.gate.granted(allotted, now),
            total: (expansion == Expansion::Complete).then_some(counts.total),
            closed: !self.live.may_publish(),
            set_size: self
                .live
                .pace
                .set_size(counts.outstanding(), self.context.workers),
        };
        self.pressure
            .send_if_modified(|now| std::mem::replace(now, pressure) != pressure);
    }

    /// Lets no other datum begin if the job is closing, and notes once no datum runs any more.
    async fn look_at_closing(&mut self) {
        if !self.live.is_closing() || self.live.is_idle {
            return;
        }
        self.context.control.close();
        let now = tokio::time::Instant::now();
        let closing = Closing {
            since: now,
            look_at: now,
        };
        let closing = self.closing.get_or_insert(closing);
        if now < closing.look_at {
            return;
        }
        closing.look_at = now + LOOK_EVERY;
        // A worker of an older Drover tells nothing.
        let is_quiet = !self.live.has_running() && closing.since.elapsed() >= QUIET;
        let queue = Queue::Datums(self.live.record().pipeline);
        let depth = timeout(BROKER_LIMIT, self.context.broker.depth(&queue)).await;
        let released = self.live.released();
        let all_released = matches!(depth, Ok(Ok(depth)) if released >= depth.consumers);
        self.live.is_idle = all_released || is_quiet;
    }

    /// Withdraws remaining work if the job ends early, waits for seals, and saves the record.
    async fn conclude(&mut self, event: JobEvent) -> Result<JobEvent, CoordinateError> {
        let is_complete = self.live.expansion == Expansion::Complete
            && self.live.tally.counts().outstanding() == 0;
        if self.live.stop_request.is_stop() || !is_complete {
            self.withdraw_work().await?;
        }
        while let Some(sealed) = self.sealing.next().await {
            sealed?;
        }
        while self.broadcasts.next().await.is_some() {}
        self.show(true).await?;
        Ok(event)
    }

    /// Purges the queue, cancels running datums, and waits until the workers have released the job.
    pub(crate) async fn withdraw_work(&mut self) -> Result<(), CoordinateError> {
        let queue = Queue::Datums(self.live.record().pipeline);
        // A broker out of reach must not delay a stop: the workers find the stop mark in the store.
        let broker = &self.context.broker;
        let purged = timeout(BROKER_LIMIT, broker.purge(&queue)).await;
        if !matches!(purged, Ok(Ok(_))) {
            tracing::warn!(job.id = %self.live.job(), "cannot purge the queue of a stopped job; its messages will find the job ended");
        }
        self.context.control.cancel_commands();
        let workers = match timeout(BROKER_LIMIT, broker.depth(&queue)).await {
            Ok(Ok(depth)) => depth.consumers,
            // Unknown, so the release timeout decides.
            Ok(Err(_)) | Err(_) => u32::MAX,
        };
        let mut released = pin!(self.context.control.released());
        while self.live.released() < workers {
            tokio::select! {
                biased;
                // Reports must be drained meanwhile: a worker releases the job only after its reports were taken.
                Ok(delivery) = self.reports.next() => self.take(delivery).await?,
                Some(sealed) = self.sealing.next() => sealed?,
                () = &mut released => break,
            }
        }
        self.read_ledger().await
    }

    /// Reads verdicts from the ledger that no report has brought.
    async fn read_ledger(&mut self) -> Result<(), CoordinateError> {
        for segment in self.live.tally.open_segments() {
            for verdict in self
                .context
                .ledger
                .verdicts(self.live.job(), segment)
                .await?
            {
                if let TallyChange::Complete(segment, verdicts) = self.live.tally.note(verdict) {
                    self.seal(segment, verdicts);
                }
            }
        }
        Ok(())
    }
}

/// Waits until more datums may be published without a report; for ever if only a report changes that.
async fn more_is_granted(after: Option<Duration>) {
    match after {
        // A rate grants more only once its period is over; a shorter wait would end too early.
        Some(after) => sleep(after.max(SHORTEST_WAIT)).await,
        None => std::future::pending().await,
    }
}

/// The report with the verdict from the ledger, if reported by reference.
async fn with_verdict(report: Report, context: &JobContext) -> Result<Report, CoordinateError> {
    let Event::Committed { index, first } = report.event else {
        return Ok(report);
    };
    let verdict = context.ledger.committed(report.job, index).await?;
    let event = match verdict.map(Box::new) {
        Some(verdict) => Event::Ended { verdict, first },
        None => report.event,
    };
    Ok(Report { event, ..report })
}
