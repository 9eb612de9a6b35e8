//! What every journey of a worker uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::Broker;
use drover_shared::wire::{Event, Report};
use tokio::sync::Semaphore;

use crate::config::Settings;
use crate::failure::{Failure, Interruption};
use crate::jobs::InHand;
use crate::jobs::{Job, Jobs};
use crate::reporter::Reporter;
use crate::retry_budget::Patience;
use crate::slots::Scratch;
use crate::slots::Slots;

/// What every journey of a worker uses.
pub(crate) struct Tools {
    pub(crate) settings: Settings,
    pub(crate) ledger: Ledger,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) reporter: Reporter,
    pub(crate) jobs: Jobs,
    pub(crate) scratch: Arc<Scratch>,
    pub(crate) slots: Slots,
    pub(crate) in_hand: InHand,
    pub(crate) patience: Patience,
    /// Datums on their way at the same time, those waiting for a slot included.
    pub(crate) in_flight: Semaphore,
    pub(crate) tokens: Tokens,
    pub(crate) claims: AtomicU64,
}

impl Tools {
    /// A name for one delivery of a datum, unique among all workers that ever were.
    pub(crate) fn next_claim(&self) -> String {
        let number = self.claims.fetch_add(1, Ordering::Relaxed);
        format!("{}.{number}", self.settings.worker)
    }

    /// Tells the coordinator of a job; returns once the queue has it safe, or the worker ends at once.
    pub(crate) async fn report(
        &self,
        job: &Job,
        redeliveries: u32,
        event: Event,
    ) -> Result<(), Failure> {
        let report = Report {
            job: job.id,
            redeliveries,
            event,
        };
        self.send(report, &job.pipeline.name).await
    }

    /// Sends a report to the coordinator of a pipeline.
    pub(crate) async fn send(
        &self,
        report: Report,
        pipeline: &PipelineName,
    ) -> Result<(), Failure> {
        let sent = self
            .reporter
            .send(report, pipeline, &self.in_hand, &*self.broker);
        Ok(self.unless_cut_short(sent).await??)
    }

    /// What it means that the stop token of a job is cancelled: it is, too, when the worker ends at once.
    pub(crate) fn stopped(&self) -> Interruption {
        if self.tokens.hard.is_cancelled() {
            Interruption::CutShort
        } else {
            Interruption::JobStopped
        }
    }

    /// Waits for `work`, whatever else happens, unless the worker is to end at once.
    pub(crate) async fn unless_cut_short<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let hard = &self.tokens.hard;
        let done = hard.run_until_cancelled(work).await;
        done.ok_or(Interruption::CutShort.into())
    }

    /// Waits for `work` as long as the worker takes on work and the job is wanted.
    pub(crate) async fn unless_interrupted<T>(
        &self,
        job: &Job,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.tokens.hard.cancelled() => Err(Interruption::CutShort.into()),
            () = job.stopped.cancelled() => Err(self.stopped().into()),
            () = self.tokens.soft.cancelled() => Err(Interruption::Draining.into()),
            done = work => Ok(done),
        }
    }
}
