//! Errors of leading a pipeline.

use std::io;
use std::path::PathBuf;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;
use drover_worker::WorkError;

use crate::coordinator::CoordinateError;

/// Why a leader could not see a job to its end. The ledger keeps everything that was committed.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// Another job of the pipeline runs on the local machine, and the caller does not wait for it.
    #[error(
        "another job of pipeline {pipeline} runs here already; wait for it, or leave out --no-wait"
    )]
    Busy {
        /// The pipeline.
        pipeline: PipelineName,
    },
    /// A submitted job of the pipeline has not ended, so the command cannot run another one.
    #[error(
        "job {job} of pipeline {pipeline} is on the broker and has not ended; wait for it, stop it, or run with --broker"
    )]
    OnBroker {
        /// The pipeline.
        pipeline: PipelineName,
        /// The job.
        job: JobId,
    },
    /// The store failed before a job of the command began.
    #[error("cannot begin a job in this store")]
    Begin(#[source] StoreError),
    /// The store failed while the leader looked for jobs.
    #[error("cannot read the jobs of the pipeline")]
    Store(#[from] StoreError),
    /// The scratch folder cannot be made.
    #[error("cannot make the scratch folder {}", path.display())]
    Scratch {
        /// The folder.
        path: PathBuf,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// The queue failed.
    #[error("cannot use the queues of the pipeline")]
    Queue(#[from] QueueError),
    /// The coordinator failed.
    #[error(transparent)]
    Coordinate(#[from] CoordinateError),
    /// The local workers failed.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The local workers ended before the job, which stays for the next leader.
    #[error("the workers of this process ended")]
    WorkersEnded,
}
