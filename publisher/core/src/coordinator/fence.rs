//! The fence: whether this coordinator still is the one, asked before it writes what others believe.

use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::ledger::{Epoch, Ledger};
use tokio::time::sleep;

use super::CoordinateError;

/// Between two looks for a successor.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What makes a process the only coordinator of a pipeline.
#[derive(Clone, Debug)]
pub enum Fence {
    /// The pipeline's lock on this machine, which it holds to the end.
    Lock,
    /// The pipeline's latest epoch. Being chosen by the broker is not enough: one that was frozen, or cut off, does
    /// not notice that another one was chosen.
    Epoch {
        /// The books.
        ledger: Ledger,
        /// The pipeline.
        pipeline: PipelineName,
        /// The epoch that this coordinator began.
        epoch: Epoch,
    },
}

impl Fence {
    /// [`CoordinateError::Deposed`] if another coordinator took over.
    pub async fn check(&self) -> Result<(), CoordinateError> {
        match self {
            Self::Lock => Ok(()),
            Self::Epoch {
                ledger,
                pipeline,
                epoch,
            } => {
                if ledger.is_latest(pipeline, *epoch).await? {
                    Ok(())
                } else {
                    Err(CoordinateError::Deposed)
                }
            }
        }
    }

    /// Waits until another coordinator takes over. A store that fails is no sign of that.
    pub(super) async fn fallen(&self) -> CoordinateError {
        loop {
            sleep(LOOK_EVERY).await;
            if let Err(error @ CoordinateError::Deposed) = self.check().await {
                return error;
            }
        }
    }

    /// Whether a job whose coordinator gives up goes on with the next one.
    pub(super) fn has_successors(&self) -> bool {
        matches!(self, Self::Epoch { .. })
    }
}
