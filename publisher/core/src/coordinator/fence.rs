//! Fencing: the epoch is checked before records are written.

use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::ledger::{Epoch, Ledger};
use drover_shared::store::StoreError;
use tokio::time::sleep;

use super::CoordinateError;

/// Interval between two checks for a later epoch.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Exclusive right of a process to coordinate a pipeline.
#[derive(Clone, Debug)]
pub enum Fence {
    /// The pipeline's lock on the local machine, held until the job ends.
    Lock,
    /// The pipeline's latest epoch. Leadership granted by the broker is not enough: a leader that was frozen or
    /// disconnected does not notice its replacement.
    Epoch(Arc<BegunEpoch>),
}

/// The epoch that a coordinator began.
#[derive(Debug)]
pub struct BegunEpoch {
    ledger: Ledger,
    pipeline: PipelineName,
    epoch: Epoch,
}

impl Fence {
    /// Begins an epoch of the pipeline in the name of `who`; leaders of earlier epochs are deposed.
    pub async fn begin(
        ledger: &Ledger,
        pipeline: &PipelineName,
        who: &str,
    ) -> Result<Self, StoreError> {
        Ok(Self::Epoch(Arc::new(BegunEpoch {
            ledger: ledger.clone(),
            pipeline: pipeline.clone(),
            epoch: ledger.begin_epoch(pipeline, who).await?,
        })))
    }

    /// [`CoordinateError::Deposed`] if another coordinator took over.
    pub async fn check(&self) -> Result<(), CoordinateError> {
        match self {
            Self::Lock => Ok(()),
            Self::Epoch(begun) => {
                if begun.ledger.is_latest(&begun.pipeline, begun.epoch).await? {
                    Ok(())
                } else {
                    Err(CoordinateError::Deposed)
                }
            }
        }
    }

    /// Resolves once another coordinator has taken over. Failures of the store are ignored.
    pub(super) async fn deposed(&self) -> CoordinateError {
        loop {
            sleep(LOOK_EVERY).await;
            if let Err(error @ CoordinateError::Deposed) = self.check().await {
                return error;
            }
        }
    }

    /// The number of the leadership; none without a broker.
    pub(super) fn term(&self) -> Option<u64> {
        match self {
            Self::Lock => None,
            Self::Epoch(begun) => Some(begun.epoch.number()),
        }
    }

    /// True if another process can resume the job.
    pub(super) fn has_successors(&self) -> bool {
        matches!(self, Self::Epoch(_))
    }
}
