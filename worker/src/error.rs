//! Why a worker ends before it is asked to.

use std::io;
use std::path::PathBuf;

use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;

use crate::runner::RunnerError;

/// Why a worker cannot work (any more). What it held goes back to the queue.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The queue is gone.
    #[error("worker lost its queue")]
    Queue {
        /// The failure.
        #[source]
        source: QueueError,
    },
    /// The store refuses, is full, or fails without a pause.
    #[error("worker cannot use the store")]
    Store {
        /// The failure.
        #[source]
        source: StoreError,
    },
    /// The scratch directory is of no use.
    #[error("worker cannot use its scratch directory {}", path.display())]
    Scratch {
        /// The file or directory.
        path: PathBuf,
        /// The failure.
        #[source]
        source: io::Error,
    },
    /// A panic, which standard error tells of.
    #[error("worker ends because of a bug in it; please report what it said before")]
    Bug,
    /// Commands cannot be run on this machine.
    #[error("worker cannot run commands here")]
    Runner {
        /// The failure.
        #[source]
        source: RunnerError,
    },
}
