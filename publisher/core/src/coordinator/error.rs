//! Errors of a coordinator.

use drover_shared::id::JobId;
use drover_shared::job::InvalidTransition;
use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;
use drover_shared::wire::WireError;

use crate::expand::ExpandError;

/// Errors of a coordinator. Committed datums stay committed, and the next job skips them.
#[derive(Debug, thiserror::Error)]
pub enum CoordinateError {
    /// The inputs cannot be expanded; no job was created.
    #[error("cannot tell what the datums are")]
    Expand(#[source] ExpandError),
    /// The datums of a job to retry are not all known.
    #[error(
        "job {job} ended before all its datums were known, so it cannot be retried; use `drover run` instead"
    )]
    Incomplete {
        /// The job.
        job: JobId,
    },
    /// Inputs or code files of a job to retry have changed.
    #[error(
        "the inputs or the code files of {count} datums of job {job} have changed since, first {path}; use `drover run` to \
         take what is there now"
    )]
    Changed {
        /// The job.
        job: JobId,
        /// Number of datums.
        count: usize,
        /// An input of the first such datum.
        path: String,
    },
    /// Another coordinator took over.
    #[error("another coordinator took over")]
    Deposed,
    /// The store failed.
    #[error("the store failed while the job ran")]
    Store(#[source] StoreError),
    /// The queue failed.
    #[error("the queue failed while the job ran")]
    Queue(#[from] QueueError),
    /// A task does not fit into a message even as a manifest range: a bug.
    #[error("a message cannot be made")]
    Wire(#[from] WireError),
    /// The machine refused a thread or file.
    #[error("this machine refuses what a job needs")]
    Machine(#[from] std::io::Error),
    /// A bug: an illegal event for the job's state.
    #[error("the job cannot go on")]
    Illegal(#[from] InvalidTransition),
}

impl CoordinateError {
    /// True if the job can continue once the failed service works again.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Store(error)
            | Self::Expand(
                ExpandError::List { source: error, .. } | ExpandError::Read { source: error, .. },
            ) => is_passing(error),
            Self::Queue(_) | Self::Machine(_) | Self::Deposed => true,
            Self::Expand(_)
            | Self::Incomplete { .. }
            | Self::Changed { .. }
            | Self::Wire(_)
            | Self::Illegal(_) => false,
        }
    }
}

impl CoordinateError {
    /// True for trouble that often passes within minutes, without a change by people.
    pub(super) fn may_pass_soon(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Store(error) => matches!(
                error,
                StoreError::Unavailable { .. } | StoreError::Full { .. }
            ),
            Self::Machine(error) => matches!(error.kind(), StorageFull | QuotaExceeded),
            _ => false,
        }
    }
}

/// True if an operation may succeed once the store works again.
pub(super) fn is_passing(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable { .. } | StoreError::Full { .. } | StoreError::Denied { .. }
    )
}

/// Another leader wrote the record with other content.
impl From<StoreError> for CoordinateError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists { .. } => Self::Deposed,
            error => Self::Store(error),
        }
    }
}
