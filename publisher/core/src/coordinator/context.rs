//! What a coordinator works with, and how it is told to come to an end.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::ledger::Ledger;
use drover_shared::queue::Broker;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{CoordinateError, Fence, Snapshot};
use crate::output::FileProgress;

/// What a coordinator works with.
#[derive(Clone)]
pub struct Tools {
    /// The books.
    pub ledger: Ledger,
    /// The queues; the pipeline's are declared.
    pub broker: Arc<dyn Broker>,
    /// What makes this coordinator the only one.
    pub fence: Fence,
    /// Where people look.
    pub watch: watch::Sender<Snapshot>,
    /// Tells the coordinator to come to an end.
    pub pace: watch::Receiver<Pace>,
    /// Cancelled by the coordinator: commands of this job that still run are to be killed.
    pub cancel: CancellationToken,
    /// Cancelled by whoever has the workers: none of them holds anything of this job any more.
    pub idle: CancellationToken,
    /// How long workers may take to let go of a job that is stopped.
    pub letting_go: Duration,
    /// A folder of this machine for sorting and for files being written; exists, and is nobody else's.
    pub scratch: PathBuf,
    /// How many datums run at the same time, all workers together.
    pub workers: NonZeroU32,
    /// How many messages are out at the same time, at most: what bounds the backlog of the queue.
    pub window: u64,
}

impl Tools {
    /// Shows people where the job stands, and saves its record if wanted.
    pub(super) async fn show(&self, snapshot: Snapshot, save: bool) -> Result<(), CoordinateError> {
        if save {
            self.fence.check().await?;
            self.ledger.save(&snapshot.record).await?;
        }
        self.watch.send_replace(snapshot);
        Ok(())
    }

    /// Shows people how far the output folder is.
    pub(super) fn show_files(&self, files: FileProgress) {
        self.watch
            .send_modify(|snapshot| snapshot.files = Some(files));
    }
}

/// How a coordinator goes on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Pace {
    /// To the end.
    #[default]
    Go,
    /// Nothing new is begun; [`Pace::Stop`] follows once the workers have finished what they hold.
    Drain,
    /// The job is killed now.
    Stop {
        /// Why.
        reason: String,
    },
}
