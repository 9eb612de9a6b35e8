//! The ways a journey can end early, by what follows from them.

use std::io;
use std::path::PathBuf;

use drover_shared::datum::Cause;
use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;

use crate::error::WorkError;
use crate::runner::RunnerError;

/// Why a journey did not come to its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The datum is at fault, or its command: it is failed for this cause, and the worker goes on.
    Datum(Cause),
    /// Store, queue or machine are at fault: the datum goes back and the worker tries again later, for a while.
    Trouble(Trouble),
    /// Nothing is at fault.
    Interrupted(Interruption),
}

/// Why a journey was broken off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Interruption {
    /// The worker finishes what it runs and takes no more; the datum goes to another one.
    Draining,
    /// It was held for later, and others may be sooner; the datum goes to one of them.
    Recalled,
    /// The job was stopped; nobody wants the datum any more.
    JobStopped,
    /// The worker ends at once; the queue notices by itself.
    CutShort,
    /// The message went back to the queue before the datum began to run: its channel was lost.
    ClaimLost,
}

/// What can go wrong that no datum is to blame for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the store failed")]
    Store(#[source] StoreError),
    #[error("the queue failed")]
    Queue(#[source] QueueError),
    #[error("cannot use {}", path.display())]
    Scratch {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("commands cannot be run")]
    Runner(#[source] RunnerError),
}

impl Trouble {
    /// The failure for an error with a file of the scratch directory.
    pub(crate) fn scratch(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Failure {
        let path = path.into();
        move |source| Failure::Trouble(Self::Scratch { path, source })
    }
}

impl From<Interruption> for Failure {
    fn from(interruption: Interruption) -> Self {
        Self::Interrupted(interruption)
    }
}

impl Trouble {
    /// Whether trying again is of no use.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Queue(QueueError::Refused { .. } | QueueError::Closed)
        )
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Trouble(Trouble::Store(error))
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        Self::Trouble(Trouble::Queue(error))
    }
}

impl From<Trouble> for WorkError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Store(source) => Self::Store { source },
            Trouble::Queue(source) => Self::Queue { source },
            Trouble::Scratch { path, source } => Self::Scratch { path, source },
            Trouble::Runner(source) => Self::Runner { source },
        }
    }
}

/// An error with all that caused it, on one line, for a [`Cause`].
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
