//! A look at a registered pipeline that cannot start a job: its standstill is told to the receivers of its spec.

use drover_shared::id::PipelineName;
use drover_shared::job::FailureGroups;
use drover_shared::ledger::{Deliveries, EventSubject, Ledger};
use drover_shared::pipeline::{self, Notification, NotifyEvent};
use drover_shared::store::StoreError;
use jiff::Timestamp;

use super::cloud_event::{EventView, standstill_id};
use super::decide;
use super::send::Sender;
use super::tries::Tries;

/// Looks at one pipeline.
pub(super) struct PipelineLook<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) sender: &'a Sender,
    pub(super) pipeline: &'a PipelineName,
}

impl PipelineLook<'_> {
    /// Sends what is due about a pipeline that has the obstacle `why`.
    pub(super) async fn run(&self, why: String) -> Result<(), StoreError> {
        let receivers = self.receivers().await?;
        let wants = |each: &Notification| each.on.contains(&NotifyEvent::Standstill);
        if !receivers.iter().any(wants) {
            return Ok(());
        }
        let subject = EventSubject::Pipeline(self.pipeline.clone());
        let mut noted = self.ledger.deliveries(&subject).await?;
        if noted.is_none() {
            self.ledger.note_receivers(&subject).await?;
            noted = self.ledger.deliveries(&subject).await?;
        }
        let Some((state, version)) = noted else {
            return Ok(());
        };
        let now = Timestamp::now();
        let seen = decide::after_obstacle(state, why, now);
        let due = decide::due(&receivers, None, &seen, now);
        let claimed = decide::claimed(seen, &due, &receivers, now);
        let changed = self.ledger.change_deliveries(&subject, &claimed, &version);
        if !changed.await? || due.is_empty() {
            return Ok(());
        }
        let tries = Tries {
            ledger: self.ledger,
            sender: self.sender,
            subject: &subject,
            receivers: &receivers,
        };
        tries
            .make(&due, |event| self.view(event, &claimed, now))
            .await
    }

    /// Removes the note of a pipeline whose obstacle no process sees any more.
    pub(super) async fn forget_if_over(&self) -> Result<(), StoreError> {
        let subject = EventSubject::Pipeline(self.pipeline.clone());
        match self.ledger.deliveries(&subject).await? {
            Some((state, _)) if decide::is_over(&state, Timestamp::now()) => {
                self.ledger.forget_deliveries(&subject).await
            }
            _ => Ok(()),
        }
    }

    /// The receivers of the registered spec; none of a pipeline that is gone, or whose spec a newer Drover wrote.
    async fn receivers(&self) -> Result<Vec<Notification>, StoreError> {
        let Some(registered) = self.ledger.registered(self.pipeline).await? else {
            return Ok(Vec::new());
        };
        let parsed = pipeline::from_value(&registered.spec);
        Ok(parsed.map_or_else(|_| Vec::new(), |pipeline| pipeline.notify))
    }

    fn view(&self, event: NotifyEvent, state: &Deliveries, now: Timestamp) -> EventView {
        let standstill = state.standstill.as_ref();
        let since = standstill.map_or(now, |standstill| standstill.since);
        EventView {
            event,
            id: standstill_id(self.pipeline, since),
            time: since,
            pipeline: self.pipeline.clone(),
            job: None,
            why: standstill.map(|standstill| standstill.why.clone()),
            failures: FailureGroups::default(),
        }
    }
}
