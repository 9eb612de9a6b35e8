//! Everything that a coordinator needs to run a job.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use drover_shared::ledger::Ledger;
use drover_shared::queue::Broker;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::store_retry::retry_passing_trouble;
use super::{Control, CoordinateError, Fence, Snapshot};
use crate::output::FileProgress;

/// Dependencies and limits of a coordinator.
#[derive(Clone)]
pub struct JobContext {
    /// Records of the store.
    pub ledger: Ledger,
    /// The queues; those of the pipeline are declared.
    pub broker: Arc<dyn Broker>,
    /// Fencing against other coordinators of the pipeline.
    pub fence: Fence,
    /// Receives a snapshot of the job several times a second.
    pub watch: watch::Sender<Snapshot>,
    /// Stops the job.
    pub control: Control,
    /// Existing local folder for sorting and temporary files; not shared.
    pub scratch: PathBuf,
    /// Datums that run at the same time, all workers together.
    pub workers: NonZeroU32,
    /// Most messages in flight, which bounds the backlog of the queue.
    pub window: u64,
    /// Notified once there is work for workers, or none is known to be done. Workers that live as long as the job start
    /// then.
    pub work: Arc<Notify>,
}

impl JobContext {
    /// Publishes a snapshot for display; saves the record if `save` is true, except a final one, which is written once,
    /// with its reason, at the very end.
    pub(super) async fn show(&self, snapshot: Snapshot, save: bool) -> Result<(), CoordinateError> {
        if save && !snapshot.record.state.is_final() {
            let what = format!("the record of job {}", snapshot.record.id);
            retry_passing_trouble(&self.fence, &CancellationToken::new(), &what, || async {
                self.fence.check().await?;
                Ok(self.ledger.save(&snapshot.record).await?)
            })
            .await?;
        }
        self.watch.send_replace(snapshot);
        Ok(())
    }

    /// Shows the progress of the output folder.
    pub(super) fn show_files(&self, files: FileProgress) {
        self.watch
            .send_modify(|snapshot| snapshot.files = Some(files));
    }
}
