//! The store, as far as the operator has to do with it: it hands pipelines to `drover serve` there, and finds there what
//! is still to be done. It knows nothing of Kubernetes.

mod ledger;

pub use ledger::LedgerBooks;

use async_trait::async_trait;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::ledger::RegistryError;
use drover_shared::store::StoreError;
use serde_json::Value;

/// What is still to be done of a pipeline, and what it was at last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// Jobs that have not ended.
    pub unfinished_jobs: u64,
    /// Datums of theirs that have not ended, of those known.
    pub outstanding: u64,
    /// The job that was published last, as far as it is remembered.
    pub last_job: Option<JobRecord>,
}

/// Why the store could not be asked or told.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registered pipeline.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// What the operator writes into the store and reads there. Everything may be done twice.
#[async_trait]
pub trait Books: Send + Sync {
    /// The pipeline stands, with this normalised spec.
    async fn stand(&self, pipeline: &PipelineName, spec: &Value) -> Result<(), BooksError>;

    /// The pipeline stands no more, and its jobs are asked to stop. Returns how many have not ended yet.
    async fn fell(&self, pipeline: &PipelineName) -> Result<u64, BooksError>;

    /// What is still to be done. `told` is the job that people were told of last: how it ended is found, however long ago
    /// that was.
    async fn work(&self, pipeline: &PipelineName, told: Option<JobId>) -> Result<Work, BooksError>;
}
