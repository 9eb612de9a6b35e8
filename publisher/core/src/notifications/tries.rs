//! Tries of the deliveries that are due: made side by side, and noted.

use drover_shared::ledger::{EventSubject, Ledger};
use drover_shared::pipeline::{Notification, NotifyEvent};
use drover_shared::store::StoreError;
use futures::future::join_all;
use jiff::Timestamp;

use super::cloud_event::EventView;
use super::decide::{self, DueDelivery, TryOutcome};
use super::metrics;
use super::send::Sender;

/// Tries for one subject.
pub(super) struct Tries<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) sender: &'a Sender,
    pub(super) subject: &'a EventSubject,
    pub(super) receivers: &'a [Notification],
}

impl Tries<'_> {
    /// Sends the due events at the same time, and notes how each try ended. The tries are claimed already.
    pub(super) async fn make(
        &self,
        due: &[DueDelivery],
        view: impl Fn(NotifyEvent) -> EventView,
    ) -> Result<(), StoreError> {
        let sending = due.iter().map(|each| {
            let event = view(each.event);
            async move {
                let outcome = self
                    .sender
                    .send(&self.receivers[each.receiver], &event)
                    .await;
                (each, outcome)
            }
        });
        let tried = join_all(sending).await;
        self.note(&tried).await
    }

    /// Notes the outcomes, whatever other processes change meanwhile.
    async fn note(&self, tried: &[(&DueDelivery, TryOutcome)]) -> Result<(), StoreError> {
        loop {
            let Some((mut state, version)) = self.ledger.deliveries(self.subject).await? else {
                return Ok(());
            };
            let now = Timestamp::now();
            let mut abandoned = Vec::new();
            for (each, outcome) in tried {
                let (after, gives_up) = decide::after_try(state, each, outcome, now);
                state = after;
                abandoned.push(gives_up);
            }
            let changed = self
                .ledger
                .change_deliveries(self.subject, &state, &version);
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
        let (event, subject) = (tried.event.name(), self.subject);
        let job = subject.job().map(tracing::field::display);
        match outcome {
            TryOutcome::Delivered => {
                tracing::debug!(job.id = job, "the event {event} of {subject} was delivered");
            }
            TryOutcome::Failed(problem) | TryOutcome::Hopeless(problem) if gives_up => {
                tracing::warn!(
                    job.id = job,
                    "the event {event} of {subject} is given up: {problem}"
                );
            }
            TryOutcome::Failed(problem) | TryOutcome::Hopeless(problem) => {
                tracing::warn!(
                    job.id = job,
                    "the event {event} of {subject} was not delivered; trying again: {problem}"
                );
            }
        }
    }
}
