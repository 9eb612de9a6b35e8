//! Live snapshots of the jobs that the current process coordinates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use tokio::sync::watch;

use crate::coordinator::Snapshot;

/// The jobs that people look at in the current process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LiveJobs(Arc<Mutex<Jobs>>);

#[derive(Debug, Default)]
struct Jobs {
    /// Where jobs are to be shown.
    wanted: HashMap<JobId, watch::Sender<Snapshot>>,
    /// Snapshots of coordinated jobs.
    coordinated: HashMap<JobId, watch::Receiver<Snapshot>>,
}

impl LiveJobs {
    /// Shows the job to `watch`.
    pub fn show(&self, job: JobId, watch: watch::Sender<Snapshot>) {
        self.lock().wanted.insert(job, watch);
    }

    /// Snapshots of all jobs coordinated by the current process.
    pub fn all(&self) -> Vec<Snapshot> {
        let mut jobs = self.lock();
        jobs.coordinated.retain(|_, watch| is_shown(watch));
        let now = jobs.coordinated.values();
        now.map(|watch| watch.borrow().clone()).collect()
    }

    /// The snapshot of a job, if coordinated by the current process.
    pub fn get(&self, job: JobId) -> Option<Snapshot> {
        let jobs = self.lock();
        let watch = jobs.coordinated.get(&job).filter(|watch| is_shown(watch))?;
        Some(watch.borrow().clone())
    }

    /// Hides the job, and waits until the current process has released it: the last records are written after the
    /// job has ended.
    pub async fn released(&self, job: JobId) {
        let coordinated = {
            let mut jobs = self.lock();
            jobs.wanted.remove(&job);
            jobs.coordinated.get(&job).cloned()
        };
        if let Some(mut watch) = coordinated {
            while watch.changed().await.is_ok() {}
        }
    }

    /// Where to show a job that is coordinated from now on; when it is dropped, the job is no longer.
    pub(super) fn watch(&self, record: &JobRecord) -> watch::Sender<Snapshot> {
        let mut jobs = self.lock();
        let wanted = jobs.wanted.get(&record.id).cloned();
        let watch = wanted.unwrap_or_else(|| watch::Sender::new(Snapshot::new(record.clone())));
        jobs.coordinated.retain(|_, watch| is_shown(watch));
        jobs.coordinated.insert(record.id, watch.subscribe());
        watch
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True while a sender exists.
fn is_shown(watch: &watch::Receiver<Snapshot>) -> bool {
    watch.has_changed().is_ok()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_job_is_let_go_once_this_process_is_done_with_it() {
        let shown = LiveJobs::default();
        let record = JobRecord::new(
            JobId::generate(),
            "p".parse().unwrap(),
            jiff::Timestamp::UNIX_EPOCH,
        );
        assert!(
            shown.released(record.id).now_or_never().is_some(),
            "it is not at it"
        );
        shown.show(record.id, watch::Sender::new(Snapshot::new(record.clone())));
        let coordinator = shown.watch(&record);
        let mut released = Box::pin(shown.released(record.id));
        assert!((&mut released).now_or_never().is_none());
        coordinator.send_modify(|_| ());
        assert!((&mut released).now_or_never().is_none());
        drop(coordinator);
        assert!(released.now_or_never().is_some());
        assert!(shown.all().is_empty());
    }
}
