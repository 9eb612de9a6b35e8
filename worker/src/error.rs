//! Errors that end a worker.

use std::io;
use std::path::PathBuf;

use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;

use crate::runner::RunnerError;

/// An error that ends a worker. The broker redelivers the messages that the worker held.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The broker refuses the worker, or the subscription is lost for good.
    #[error("the worker lost its queue")]
    Queue {
        /// The cause.
        #[source]
        source: QueueError,
    },
    /// The store refuses access, is full, or failed for longer than the retry budget.
    #[error("the worker cannot use the store")]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The scratch directory cannot be made or used.
    #[error("the worker cannot use its scratch directory {}", path.display())]
    Scratch {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A panic; its message was written to standard error.
    #[error("the worker ends because of a bug; please report the panic message above")]
    Bug,
    /// No command can be run on the local machine.
    #[error("the worker cannot run commands on this machine")]
    Runner {
        /// The cause.
        #[source]
        source: RunnerError,
    },
}
