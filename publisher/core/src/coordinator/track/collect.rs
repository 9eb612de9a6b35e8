//! Collects what becomes of a job's datums until it is decided what the job comes to.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Instant;

use drover_shared::datum::Verdict;
use drover_shared::job::JobEvent;
use drover_shared::ledger::Segment;
use drover_shared::queue::{Consumer, Delivery, Queue};
use drover_shared::store::StoreError;
use drover_shared::wire::{Message, decode};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};

use super::dead;
use super::decide::{Expansion, Wish};
use super::live::Live;
use super::tally::Noted;
use crate::coordinator::dispatch::supply::{Load, Standing};
use crate::coordinator::manifest::write::News;
use crate::coordinator::{CoordinateError, Pace, Tools};

/// How often people are shown where the job stands.
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// How many times it is shown before its record is saved.
const SHOWN_TO_SAVED: u32 = 20;
/// One job's collector.
pub(crate) struct Collector<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) live: &'a mut Live,
    pub(crate) reports: &'a mut dyn Consumer,
    /// Messages of the pipeline that could not be delivered.
    pub(crate) dead: Box<dyn Consumer>,
    pub(crate) news: mpsc::Receiver<News>,
    /// To the supplier; gone once all datums are known. Unbounded, for it must not hold up this end, and small:
    /// one entry a segment.
    pub(crate) loads: Option<mpsc::UnboundedSender<Load>>,
    pub(crate) standing: watch::Sender<Standing>,
    pub(crate) sealing: FuturesUnordered<Sealing>,
    /// Datums that workers had ended before this collector began.
    pub(crate) ended_before: u64,
}

/// A segment being sealed.
pub(crate) type Sealing = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

impl Collector<'_> {
    /// Collects until the datums have all ended, or the job is to be stopped. `stop` tells why.
    pub(crate) async fn run(
        &mut self,
        mut stop: Pin<&mut (impl Future<Output = String> + Send)>,
    ) -> Result<JobEvent, CoordinateError> {
        let mut pace = self.tools.pace.clone();
        let mut clock = interval(SHOW_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shown = 0;
        loop {
            tokio::select! {
                // News of a segment comes before reports on its datums.
                biased;
                Some(news) = self.news.recv() => self.hear(news),
                reason = &mut stop, if self.live.facts.wish != Wish::Stop => self.stop(reason),
                Ok(()) = pace.changed() => self.slow_down(&pace.borrow_and_update().clone()),
                Some(sealed) = self.sealing.next() => sealed?,
                delivery = self.reports.next() => self.take(delivery?).await?,
                delivery = self.dead.next() => self.bury(delivery?).await?,
                _ = clock.tick() => {
                    shown += 1;
                    self.show(shown % SHOWN_TO_SAVED == 0).await?;
                    continue;
                }
            }
            self.tell_supplier();
            match self.live.advance()? {
                Some(JobEvent::Began) => self.show(true).await?,
                Some(event) => return self.conclude(event).await,
                None => {}
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Segment {
                segment,
                skipped,
                taken,
            } => {
                self.live.tally.open(segment, &skipped);
                let load = Load::new(segment, &taken);
                for verdict in taken {
                    if let Some((segment, verdicts)) = self.live.note_verdict(verdict) {
                        self.seal(segment, verdicts);
                    }
                }
                if self.live.tally.is_open(segment) {
                    self.load(load);
                }
            }
            News::Expanded => {
                self.live.facts.expansion = Expansion::Complete;
                self.loads = None;
            }
            News::Broken(reason) => {
                self.live.facts.expansion = Expansion::Broken;
                self.live.give_reason(reason);
            }
        }
    }

    async fn show(&mut self, save: bool) -> Result<(), CoordinateError> {
        let snapshot = self.live.snapshot(Instant::now());
        self.tools.show(snapshot, save).await
    }

    /// Hands a segment to the supplier.
    pub(crate) fn load(&self, load: Load) {
        if let Some(loads) = &self.loads {
            // The supplier listens as long as it has to: it stops when the job is to begin nothing new.
            let _ = loads.send(load);
        }
    }

    /// Begins nothing new. A stop comes with its reason by another way, see [`stop`](crate::coordinator::finish::stop).
    fn slow_down(&mut self, pace: &Pace) {
        if *pace != Pace::Go {
            self.live.facts.wish = self.live.facts.wish.max(Wish::Drain);
        }
    }

    fn stop(&mut self, reason: String) {
        self.live.facts.wish = Wish::Stop;
        self.live.give_reason(reason);
    }

    async fn take(&mut self, delivery: Delivery) -> Result<(), CoordinateError> {
        match decode(&delivery.body) {
            Ok(Message::Reports(reports)) => {
                let job = self.live.job();
                for report in reports.into_iter().filter(|report| report.job == job) {
                    if let Some((segment, verdicts)) = self.live.note(report) {
                        self.seal(segment, verdicts);
                    }
                }
                // The verdict lies in the ledger, so there is nothing to be checkpointed first.
                delivery.ack().await?;
            }
            Ok(Message::Task(_) | Message::Control(_) | Message::LeaderToken(_)) | Err(_) => {
                tracing::warn!("a message among the reports is none; it goes to the dead queue");
                delivery.reject("no report").await?;
            }
        }
        Ok(())
    }

    /// Ends the datums of a message that no worker could take.
    async fn bury(&mut self, delivery: Delivery) -> Result<(), CoordinateError> {
        for verdict in dead::bury(&delivery, self.tools, self.live).await? {
            if let Some((segment, verdicts)) = self.live.note_verdict(verdict) {
                self.seal(segment, verdicts);
            }
        }
        delivery.ack().await?;
        Ok(())
    }

    fn seal(&self, segment: Segment, verdicts: Vec<Verdict>) {
        let (ledger, job) = (self.tools.ledger.clone(), self.live.job());
        self.sealing.push(Box::pin(async move {
            ledger.seal(job, segment, &verdicts).await
        }));
    }

    fn tell_supplier(&self) {
        let counts = self.live.tally.counts();
        let facts = self.live.facts;
        let standing = Standing {
            ended: self.live.tally.worked() - self.ended_before,
            total: (facts.expansion == Expansion::Complete).then_some(counts.total),
            closed: facts.wish != Wish::GoOn || facts.expansion == Expansion::Broken,
        };
        self.standing
            .send_if_modified(|now| std::mem::replace(now, standing) != standing);
    }

    /// What is left to do once it is decided what the job comes to.
    async fn conclude(&mut self, event: JobEvent) -> Result<JobEvent, CoordinateError> {
        let facts = self.live.facts;
        if facts.wish == Wish::Stop || facts.expansion == Expansion::Broken {
            self.wind_down().await?;
        }
        while let Some(sealed) = self.sealing.next().await {
            sealed?;
        }
        self.show(true).await?;
        Ok(event)
    }

    /// Takes the work away from the workers, and waits until they have let go of it.
    pub(crate) async fn wind_down(&mut self) -> Result<(), CoordinateError> {
        let queue = Queue::Datums(self.live.record().pipeline);
        self.tools.broker.purge(&queue).await?;
        self.tools.cancel.cancel();
        let workers = self.tools.broker.depth(&queue).await?.consumers;
        let mut letting_go = pin!(timeout(self.tools.letting_go, self.tools.idle.cancelled()));
        while self.live.let_go() < workers {
            tokio::select! {
                biased;
                // Reports are taken all the while: a worker that cannot report cannot let go.
                Ok(delivery) = self.reports.next() => self.take(delivery).await?,
                Some(sealed) = self.sealing.next() => sealed?,
                _ = &mut letting_go => break,
            }
        }
        self.read_books().await
    }

    /// Reads from the ledger what no report told.
    async fn read_books(&mut self) -> Result<(), CoordinateError> {
        for segment in self.live.tally.open_segments() {
            for verdict in self.tools.ledger.verdicts(self.live.job(), segment).await? {
                if let Noted::Complete(segment, verdicts) = self.live.tally.note(verdict) {
                    self.seal(segment, verdicts);
                }
            }
        }
        Ok(())
    }
}
