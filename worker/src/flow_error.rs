//! Errors of the flow, by their consequence for the datum and the worker.

use std::io;
use std::path::PathBuf;

use drover_shared::datum::Cause;
use drover_shared::id::{JobId, StoreId};
use drover_shared::queue::QueueError;
use drover_shared::store::{StoreError, layout};

use crate::error::WorkError;
use crate::runner::RunnerError;

/// Why a datum did not get through the flow.
#[derive(Debug)]
pub(crate) enum FlowError {
    /// The datum or its command is at fault: the datum fails for the cause, and the worker goes on.
    Datum(Cause),
    /// Store, broker or machine are at fault: the datum is handed back, and the worker backs off.
    Infrastructure(InfrastructureError),
    /// Nothing is at fault.
    Interrupted(Interruption),
}

/// Why the flow of a datum was interrupted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Interruption {
    /// The worker drains; the datum is handed back.
    Draining,
    /// The prefetch shrank before the datum began; the datum is handed back.
    Recalled,
    /// The datum needs more memory than the worker has, and another worker has more; the datum is handed back.
    TooLarge,
    /// The message is a copy of a datum that the worker runs already; it is handed back.
    RunsHere,
    /// Another worker committed a verdict while the datum ran.
    Overtaken,
    /// The job was stopped; the message is acked.
    JobStopped,
    /// No other datum of the job may begin; the message is acked.
    JobClosed,
    /// The worker ends at once; the broker redelivers the message.
    CutShort,
    /// The channel was lost before the datum began; the broker redelivers the message.
    ClaimLost,
}

/// An error that no datum is to blame for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InfrastructureError {
    #[error("the store failed")]
    Store(#[source] StoreError),
    #[error("the broker failed")]
    Queue(#[source] QueueError),
    #[error("cannot use {}", path.display())]
    Scratch {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("commands cannot be run")]
    Runner(#[source] RunnerError),
    #[error(
        "job {job} is not in the store {store}, so this worker uses another store than the job's leader, or its mount is missing; check --store"
    )]
    UnknownJob {
        job: JobId,
        store: String,
        #[source]
        source: StoreError,
    },
    #[error(
        "the leader's store is {theirs}, which is not the store {store} of this worker; check --store and its mount"
    )]
    OtherStore { theirs: StoreId, store: String },
    #[error(
        "the datums from {segment} on of job {job} are not in the store {store}; a network file system may show them late"
    )]
    LateSegment {
        job: JobId,
        segment: u64,
        store: String,
        #[source]
        source: StoreError,
    },
}

impl InfrastructureError {
    /// Wraps an I/O error on a file of the scratch directory.
    pub(crate) fn scratch(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> FlowError {
        let path = path.into();
        move |source| FlowError::Infrastructure(Self::Scratch { path, source })
    }
}

impl From<Interruption> for FlowError {
    fn from(interruption: Interruption) -> Self {
        Self::Interrupted(interruption)
    }
}

impl InfrastructureError {
    /// True if the worker uses another store than the leader, or its store lags behind.
    pub(crate) fn is_wrong_store(&self) -> bool {
        matches!(
            self,
            Self::UnknownJob { .. } | Self::OtherStore { .. } | Self::LateSegment { .. }
        )
    }

    /// True if a retry cannot succeed.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Queue(QueueError::Refused { .. } | QueueError::Closed)
        )
    }
}

impl From<StoreError> for FlowError {
    fn from(error: StoreError) -> Self {
        Self::Infrastructure(InfrastructureError::Store(error))
    }
}

impl From<InfrastructureError> for FlowError {
    fn from(error: InfrastructureError) -> Self {
        Self::Infrastructure(error)
    }
}

impl From<QueueError> for FlowError {
    fn from(error: QueueError) -> Self {
        Self::Infrastructure(InfrastructureError::Queue(error))
    }
}

impl From<InfrastructureError> for WorkError {
    fn from(error: InfrastructureError) -> Self {
        match error {
            InfrastructureError::Store(source)
            | InfrastructureError::UnknownJob { source, .. }
            | InfrastructureError::LateSegment { source, .. } => Self::Store { source },
            InfrastructureError::OtherStore { .. } => {
                let key = layout::identity();
                let source = StoreError::Missing { key };
                Self::Store { source }
            }
            InfrastructureError::Queue(source) => Self::Queue { source },
            InfrastructureError::Scratch { path, source } => Self::Scratch { path, source },
            InfrastructureError::Runner(source) => Self::Runner { source },
        }
    }
}
