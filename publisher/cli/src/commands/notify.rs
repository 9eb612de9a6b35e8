//! Sends the events of the jobs of the current process, once the jobs have ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drover_core::coordinator::Assignment;
use drover_core::notifications::{DeliveryService, NotifySettings};
use drover_shared::id::JobId;
use drover_shared::ledger::Ledger;
use tokio::time::timeout;

use super::Context;

/// How long the end of a command is put off for the receivers of events.
const LIMIT: Duration = Duration::from_secs(20);

/// The jobs of a command that have receivers of events.
pub(crate) struct EndedJobs {
    jobs: Vec<JobId>,
    settings: NotifySettings,
}

impl EndedJobs {
    /// The jobs with receivers among `assignments`. The specs are the caller's own, so their commands may run.
    pub(crate) fn of(assignments: &[Assignment], keys: Option<PathBuf>) -> Self {
        let have_receivers = assignments
            .iter()
            .filter(|assignment| !assignment.pipeline.notify.is_empty());
        Self {
            jobs: have_receivers
                .map(|assignment| assignment.record.id)
                .collect(),
            settings: NotifySettings {
                keys,
                allow_commands: true,
            },
        }
    }

    /// Tries once to send all events. Events that are left stay in the store.
    pub(crate) async fn tell(self, ledger: &Ledger, context: &Context) {
        if self.jobs.is_empty() {
            return;
        }
        let sending = send(&self.jobs, self.settings, ledger);
        let left = match timeout(LIMIT, sending).await {
            Ok(Ok(0)) => return,
            Ok(Ok(_)) | Err(_) => "not every event of `notify` was delivered".to_owned(),
            Ok(Err(error)) => format!("events of `notify` cannot be sent: {error:#}"),
        };
        context.console.message(format!(
            "warning: {left}; a `drover serve` of this store tries again for a day"
        ));
    }
}

/// Sends the events of each job; returns the number of jobs with events that are left.
async fn send(jobs: &[JobId], settings: NotifySettings, ledger: &Ledger) -> anyhow::Result<usize> {
    let service = DeliveryService::new(ledger.clone(), settings, Arc::new(|| None))?;
    let mut left = 0;
    for job in jobs {
        left += usize::from(service.try_once(*job).await?);
    }
    Ok(left)
}
