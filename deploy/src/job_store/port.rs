//! The interface between the operator and the store.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::ledger::{RegistryError, Superseded, TermError};
use drover_shared::store::StoreError;
use jiff::Timestamp;
use serde_json::Value;

/// The unfinished work of a pipeline, and its last job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobBacklog {
    /// Jobs that have not finished.
    pub unfinished_jobs: u64,
    /// Known datums of unfinished jobs that have not finished.
    pub outstanding: u64,
    /// The job submitted last, if the store still has the job.
    pub last_job: Option<JobRecord>,
}

/// A failed read or write of the store.
#[derive(Debug, thiserror::Error)]
pub enum JobStoreError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry of pipelines failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Another operator leads; the write was refused.
    #[error(transparent)]
    Superseded(#[from] Superseded),
}

impl From<TermError> for JobStoreError {
    fn from(error: TermError) -> Self {
        match error {
            TermError::Superseded(error) => error.into(),
            TermError::Registry(error) => error.into(),
        }
    }
}

/// The operator's reads and writes of the store. Every call may be repeated.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Registers the pipeline with this normalised spec, or updates the spec.
    async fn register(&self, pipeline: &PipelineName, spec: &Value) -> Result<(), JobStoreError>;

    /// Deletes the pipeline from the registry and asks its jobs to stop. Returns the number of unfinished jobs.
    async fn unregister(&self, pipeline: &PipelineName) -> Result<u64, JobStoreError>;

    /// The pipelines registered by operators with the same Lease: the current and the former ones.
    async fn registered(&self) -> Result<Vec<PipelineName>, JobStoreError>;

    /// Number of datums of unfinished jobs that need more memory than a usual worker has.
    async fn in_need(&self, pipeline: &PipelineName) -> Result<u64, JobStoreError>;

    /// Notes that containers with workers of the pipeline were `killed` for want of memory: the pod of each, and the time of the run.
    async fn note_out_of_memory(
        &self,
        pipeline: &PipelineName,
        killed: &[(String, RangeInclusive<Timestamp>)],
    ) -> Result<(), JobStoreError>;

    /// Returns the unfinished work. `last_reported` is the last job in the resource's status; its outcome is found
    /// however long ago the job finished.
    async fn backlog(
        &self,
        pipeline: &PipelineName,
        last_reported: Option<JobId>,
    ) -> Result<JobBacklog, JobStoreError>;
}
