//! Why a job could not be seen through.

use drover_shared::id::JobId;
use drover_shared::job::IllegalStep;
use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;
use drover_shared::wire::WireError;

use crate::expand::ExpandError;

/// Why a job could not be seen through. What was committed stays, and the next job skips it.
#[derive(Debug, thiserror::Error)]
pub enum CoordinateError {
    /// The inputs cannot be expanded; no job was made.
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
    /// Inputs of a job to retry are not what they were.
    #[error(
        "the inputs of {count} datums of job {job} have changed since, first {path}; use `drover run` to take \
         what is there now"
    )]
    Changed {
        /// The job.
        job: JobId,
        /// How many datums.
        count: usize,
        /// An input of the first of them.
        path: String,
    },
    /// Another coordinator took over; it writes from now on, and nobody else.
    #[error("another coordinator took over")]
    Deposed,
    /// The store failed.
    #[error("the store failed while the job ran")]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error("the queue failed while the job ran")]
    Queue(#[from] QueueError),
    /// A datum does not even fit into a message by its place in the manifest: a bug.
    #[error("a message cannot be made")]
    Wire(#[from] WireError),
    /// The machine refused a thread or a file.
    #[error("this machine refuses what a job needs")]
    Machine(#[from] std::io::Error),
    /// A bug: news that cannot be.
    #[error("the job cannot go on")]
    Illegal(#[from] IllegalStep),
}

impl CoordinateError {
    /// Whether the job can go on once what failed works again.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Store(error)
            | Self::Expand(
                ExpandError::List { source: error, .. } | ExpandError::Read { source: error, .. },
            ) => {
                matches!(
                    error,
                    StoreError::Unavailable { .. }
                        | StoreError::Full { .. }
                        | StoreError::Denied { .. }
                )
            }
            Self::Queue(_) | Self::Machine(_) | Self::Deposed => true,
            Self::Expand(_)
            | Self::Incomplete { .. }
            | Self::Changed { .. }
            | Self::Wire(_)
            | Self::Illegal(_) => false,
        }
    }
}
