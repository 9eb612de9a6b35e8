//! The context that the datums of a worker share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drover_shared::id::{PipelineName, StoreId};
use drover_shared::job::JobKey;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::Broker;
use drover_shared::store::StoreError;
use drover_shared::wire::{Event, Report};
use tokio::sync::{Notify, OnceCell};

use crate::cache::NodeCache;
use crate::config::Settings;
use crate::flow_error::{FlowError, Interruption};
use crate::jobs::{
    BegunSets, HeldTasks, InFlightDatums, Job, Jobs, LateSegments, ReportedAttempts, Terms,
};
use crate::pace::DatumPace;
use crate::reporter::Reporter;
use crate::retry_budget::RetryBudget;
use crate::roster::Roster;
use crate::slots::Scratch;
use crate::slots::Slots;
use crate::weights::Weights;

/// Settings, connections and state that the datums of a worker share.
pub(crate) struct WorkerContext {
    pub(crate) settings: Settings,
    pub(crate) ledger: Ledger,
    /// The id of the store, once it is known.
    pub(crate) store: OnceCell<StoreId>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) reporter: Reporter,
    pub(crate) jobs: Jobs,
    pub(crate) scratch: Arc<Scratch>,
    pub(crate) cache: NodeCache,
    pub(crate) slots: Slots,
    pub(crate) held: HeldTasks,
    pub(crate) terms: Terms,
    pub(crate) begun_sets: BegunSets,
    pub(crate) late_segments: LateSegments,
    pub(crate) in_flight: InFlightDatums,
    pub(crate) reported_attempts: ReportedAttempts,
    /// Notified when the leader tells of verdicts on datums that several workers run.
    pub(crate) copies_ended: Notify,
    pub(crate) pace: DatumPace,
    pub(crate) retry_budget: RetryBudget,
    /// The pipelines that the worker serves.
    pub(crate) roster: Roster,
    pub(crate) weights: Weights,
    pub(crate) tokens: Tokens,
    pub(crate) claims: AtomicU64,
}

impl WorkerContext {
    /// A name for one delivery of a datum, unique among all workers of all times.
    pub(crate) fn next_claim(&self) -> String {
        let number = self.claims.fetch_add(1, Ordering::Relaxed);
        format!("{}.{number}", self.settings.worker)
    }

    /// Reports an event of a job to its leader. Returns once the broker has confirmed the report; an error if the worker
    /// ends at once.
    pub(crate) async fn report(
        &self,
        job: &Job,
        redeliveries: u32,
        event: Event,
    ) -> Result<(), FlowError> {
        let report = Report {
            job: job.id,
            redeliveries,
            event,
        };
        self.send(report, job.key, &job.pipeline.name).await
    }

    /// Sends a report on the job with the key to the leader of its pipeline.
    pub(crate) async fn send(
        &self,
        report: Report,
        key: Option<JobKey>,
        pipeline: &PipelineName,
    ) -> Result<(), FlowError> {
        let sent = self
            .reporter
            .send(report, key, pipeline, &self.in_flight, &*self.broker);
        Ok(self.unless_cut_short(sent).await??)
    }

    /// The id of the store; none if the store has none (yet).
    pub(crate) async fn store_id(&self) -> Result<Option<&StoreId>, StoreError> {
        if let Some(known) = self.store.get() {
            return Ok(Some(known));
        }
        let identity = self.ledger.identity().await?;
        // Another task may have set the same id meanwhile.
        let _ = identity.map(|identity| self.store.set(identity.id));
        Ok(self.store.get())
    }

    /// The interruption behind a cancelled job token. The hard stop of the worker cancels the tokens of all jobs, too.
    pub(crate) fn stopped(&self) -> Interruption {
        if self.tokens.hard.is_cancelled() {
            Interruption::CutShort
        } else {
            Interruption::JobStopped
        }
    }

    /// Waits for `work` unless the worker ends at once.
    pub(crate) async fn unless_cut_short<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, FlowError> {
        let hard = &self.tokens.hard;
        let done = hard.run_until_cancelled(work).await;
        done.ok_or(Interruption::CutShort.into())
    }

    /// As [`unless_interrupted`](Self::unless_interrupted), for a datum that has not begun: it never begins once the job is closed.
    pub(crate) async fn before_begin<T>(
        &self,
        job: &Job,
        work: impl Future<Output = T>,
    ) -> Result<T, FlowError> {
        tokio::select! {
            biased;
            () = job.closed.cancelled() => Err(Interruption::JobClosed.into()),
            done = self.unless_interrupted(job, work) => done,
        }
    }

    /// Waits for `work` unless the worker drains or the job is stopped.
    pub(crate) async fn unless_interrupted<T>(
        &self,
        job: &Job,
        work: impl Future<Output = T>,
    ) -> Result<T, FlowError> {
        tokio::select! {
            biased;
            () = self.tokens.hard.cancelled() => Err(Interruption::CutShort.into()),
            () = job.stopped.cancelled() => Err(self.stopped().into()),
            () = self.tokens.soft.cancelled() => Err(Interruption::Draining.into()),
            done = work => Ok(done),
        }
    }
}
