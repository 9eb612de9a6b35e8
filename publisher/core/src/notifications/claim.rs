//! A look at a job: due deliveries are claimed against other processes, made, and noted.

use drover_shared::id::JobId;
use drover_shared::job::{FailureGroups, JobRecord, JobState};
use drover_shared::ledger::{Deliveries, Ledger};
use drover_shared::pipeline::{self, Notification, NotifyEvent};
use drover_shared::queue::Broker;
use drover_shared::store::StoreError;
use jiff::Timestamp;

use super::cloud_event::{EventView, event_id};
use super::decide;
use super::send::Sender;
use super::tries::Tries;
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
        let Some((state, version)) = self.ledger.deliveries(&self.job.into()).await? else {
            return Ok(LookResult::Finished);
        };
        let Some((job, receivers)) = self.job_and_receivers().await? else {
            return Ok(LookResult::Finished);
        };
        let ending = self.ending(&job).await?;
        let has_ended = job.state.is_final();
        if has_ended && decide::is_finished(&receivers, ending, &state) {
            self.ledger.forget_deliveries(&self.job.into()).await?;
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
                .change_deliveries(&self.job.into(), &claimed, &version)
                .await?;
            if changed && !due.is_empty() {
                let failures = catalog::failures(self.ledger, &job).await?;
                let tries = Tries {
                    ledger: self.ledger,
                    sender: self.sender,
                    subject: &self.job.into(),
                    receivers: &receivers,
                };
                let view = |event| view(event, &job, &claimed, &failures);
                tries.make(&due, view).await?;
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
                    self.ledger.forget_deliveries(&self.job.into()).await?;
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

    /// Removes the note of an ended job without deliveries left.
    async fn end(
        &self,
        receivers: &[Notification],
        ending: Option<NotifyEvent>,
    ) -> Result<LookResult, StoreError> {
        match self.ledger.deliveries(&self.job.into()).await? {
            Some((state, _)) if !decide::is_finished(receivers, ending, &state) => {
                Ok(LookResult::Left)
            }
            _ => {
                self.ledger.forget_deliveries(&self.job.into()).await?;
                Ok(LookResult::Finished)
            }
        }
    }
}

/// The event as it is sent.
fn view(
    event: NotifyEvent,
    job: &JobRecord,
    state: &Deliveries,
    failures: &FailureGroups,
) -> EventView {
    let standing = state.standstill.as_ref();
    let standing = standing.filter(|_| event == NotifyEvent::Standstill);
    EventView {
        event,
        id: event_id(job.id, event, state.standstills),
        time: standing.map_or_else(
            || job.finished.unwrap_or(job.created),
            |standing| standing.since,
        ),
        pipeline: job.pipeline.clone(),
        job: Some(job.clone()),
        why: standing.map_or_else(|| job.reason.clone(), |standing| Some(standing.why.clone())),
        failures: failures.clone(),
    }
}
