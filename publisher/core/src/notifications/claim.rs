//! A look at a job: due deliveries are claimed against other processes, made, and noted.

use drover_shared::id::JobId;
use drover_shared::job::{FailureGroups, JobRecord, JobState};
use drover_shared::ledger::{JobDeliveries, Ledger};
use drover_shared::pipeline::{self, Notification, NotifyEvent};
use drover_shared::queue::Broker;
use drover_shared::store::StoreError;
use futures::future::join_all;
use jiff::Timestamp;

use super::cloud_event::{JobEventView, event_id};
use super::decide::{self, DueDelivery, TryOutcome};
use super::metrics;
use super::send::Sender;
use crate::catalog;

/// The state of a job's deliveries after a look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LookResult {
    /// The job has not ended.
    Active,
    /// The job has ended, and deliveries are left.
    Left,
    /// Nothing is left.
    Finished,
}

/// Looks at one job.
pub(super) struct JobLook<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) sender: &'a Sender,
    pub(super) broker: Option<&'a dyn Broker>,
    pub(super) job: JobId,
}

impl JobLook<'_> {
    /// Sends what is due.
    pub(super) async fn run(&self) -> Result<LookResult, StoreError> {
        let Some((state, version)) = self.ledger.deliveries(self.job).await? else {
            return Ok(LookResult::Finished);
        };
        let Some((job, receivers)) = self.job_and_receivers().await? else {
            return Ok(LookResult::Finished);
        };
        let ending = self.ending(&job).await?;
        let has_ended = job.state.is_final();
        if has_ended && decide::is_finished(&receivers, ending, &state) {
            self.ledger.forget_deliveries(self.job).await?;
            return Ok(LookResult::Finished);
        }
        let now = Timestamp::now();
        let looked = if has_ended {
            state.clone()
        } else {
            decide::after_look(state.clone(), self.obstacle(&job, &receivers).await?, now)
        };
        let due = decide::due(&receivers, ending, &looked, now);
        let claimed = decide::claimed(looked, &due, &receivers, now);
        if claimed != state {
            let changed = self
                .ledger
                .change_deliveries(self.job, &claimed, &version)
                .await?;
            if changed && !due.is_empty() {
                self.send(&job, &receivers, &due, &claimed).await?;
            }
        }
        if !has_ended {
            return Ok(LookResult::Active);
        }
        if due.is_empty() {
            return Ok(LookResult::Left);
        }
        self.end(&receivers, ending).await
    }

    /// The job and its receivers. None if the job has no record or no spec; the note of such a job is removed an hour after the
    /// job's creation.
    async fn job_and_receivers(
        &self,
    ) -> Result<Option<(JobRecord, Vec<Notification>)>, StoreError> {
        let read = match self.ledger.job(self.job).await {
            Ok(job) => self.ledger.spec(self.job).await.map(|spec| (job, spec)),
            Err(error) => Err(error),
        };
        let (job, spec) = match read {
            Ok(read) => read,
            // A job is noted before its record is written.
            Err(StoreError::Missing { .. }) => {
                if self.job.time() < Timestamp::now() - jiff::SignedDuration::from_hours(1) {
                    self.ledger.forget_deliveries(self.job).await?;
                }
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // A spec of a newer Drover is left to the newer process.
        let receivers = pipeline::from_value(&spec).map(|pipeline| pipeline.notify);
        Ok(receivers.ok().map(|receivers| (job, receivers)))
    }

    async fn ending(&self, job: &JobRecord) -> Result<Option<NotifyEvent>, StoreError> {
        let stopped = job.state == JobState::Killed && self.ledger.stop_requested(self.job).await?;
        Ok(decide::final_event(job, stopped))
    }

    /// The obstacle of an active job; looked for only if a receiver asks for standstills.
    async fn obstacle(
        &self,
        job: &JobRecord,
        receivers: &[Notification],
    ) -> Result<Option<String>, StoreError> {
        let wants = |each: &Notification| each.on.contains(&NotifyEvent::Standstill);
        if !receivers.iter().any(wants) {
            return Ok(None);
        }
        let submission = self.ledger.submission(self.job).await?;
        catalog::obstacle(self.ledger, self.broker, job, submission.as_ref()).await
    }

    /// Sends the due events at the same time, and notes how each try ended.
    async fn send(
        &self,
        job: &JobRecord,
        receivers: &[Notification],
        due: &[DueDelivery],
        state: &JobDeliveries,
    ) -> Result<(), StoreError> {
        let failures = catalog::failures(self.ledger, job).await?;
        let sending = due.iter().map(|each| {
            let event = view(each.event, job, state, &failures);
            async move {
                let outcome = self.sender.send(&receivers[each.receiver], &event).await;
                (each, outcome)
            }
        });
        let tried = join_all(sending).await;
        self.note(&tried).await
    }

    /// Notes the outcomes, whatever other processes change meanwhile.
    async fn note(&self, tried: &[(&DueDelivery, TryOutcome)]) -> Result<(), StoreError> {
        loop {
            let Some((mut state, version)) = self.ledger.deliveries(self.job).await? else {
                return Ok(());
            };
            let now = Timestamp::now();
            let mut abandoned = Vec::new();
            for (each, outcome) in tried {
                let (after, gives_up) = decide::after_try(state, each, outcome, now);
                state = after;
                abandoned.push(gives_up);
            }
            let changed = self.ledger.change_deliveries(self.job, &state, &version);
            if changed.await? {
                for ((each, outcome), gives_up) in tried.iter().zip(abandoned) {
                    self.tell(each, outcome, gives_up);
                }
                return Ok(());
            }
        }
    }

    fn tell(&self, tried: &DueDelivery, outcome: &TryOutcome, gives_up: bool) {
        metrics::tried(outcome, gives_up);
        let (event, job) = (tried.event.name(), self.job);
        match outcome {
            TryOutcome::Delivered => {
                tracing::debug!(job.id = %job, "the event {event} of job {job} was delivered");
            }
            TryOutcome::Failed(problem) | TryOutcome::Hopeless(problem) if gives_up => {
                tracing::warn!(job.id = %job, "the event {event} of job {job} is given up: {problem}");
            }
            TryOutcome::Failed(problem) | TryOutcome::Hopeless(problem) => {
                tracing::warn!(job.id = %job, "the event {event} of job {job} was not delivered; trying again: {problem}");
            }
        }
    }

    /// Removes the note of an ended job without deliveries left.
    async fn end(
        &self,
        receivers: &[Notification],
        ending: Option<NotifyEvent>,
    ) -> Result<LookResult, StoreError> {
        match self.ledger.deliveries(self.job).await? {
            Some((state, _)) if !decide::is_finished(receivers, ending, &state) => {
                Ok(LookResult::Left)
            }
            _ => {
                self.ledger.forget_deliveries(self.job).await?;
                Ok(LookResult::Finished)
            }
        }
    }
}

/// The event as it is sent.
fn view(
    event: NotifyEvent,
    job: &JobRecord,
    state: &JobDeliveries,
    failures: &FailureGroups,
) -> JobEventView {
    let standing = state.standstill.as_ref();
    let standing = standing.filter(|_| event == NotifyEvent::Standstill);
    JobEventView {
        event,
        id: event_id(job.id, event, state.standstills),
        time: standing.map_or_else(
            || job.finished.unwrap_or(job.created),
            |standing| standing.since,
        ),
        job: job.clone(),
        why: standing.map_or_else(|| job.reason.clone(), |standing| Some(standing.why.clone())),
        failures: failures.clone(),
    }
}
