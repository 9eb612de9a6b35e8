//! Who wants to see a job while this process coordinates it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use tokio::sync::watch;

use crate::coordinator::Snapshot;

/// The jobs that people look at in this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<Mutex<HashMap<JobId, watch::Sender<Snapshot>>>>);

impl Shown {
    /// Shows this job to `watch`.
    pub fn show(&self, job: JobId, watch: watch::Sender<Snapshot>) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.insert(job, watch);
    }

    /// Where to show a job; nowhere, if nobody looks.
    pub(super) fn watch(&self, record: &JobRecord) -> watch::Sender<Snapshot> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown
            .get(&record.id)
            .cloned()
            .unwrap_or_else(|| watch::channel(Snapshot::new(record.clone())).0)
    }
}
