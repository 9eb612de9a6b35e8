//! Job records, specs and stop requests.

use serde_json::Value;

use super::Ledger;
use crate::id::{JobId, PipelineName};
use crate::job::JobRecord;
use crate::store::StoreError;

impl Ledger {
    /// Opens the books of a new job: its spec, its record, and the mark that it is not folded yet.
    pub async fn open_job(&self, record: &JobRecord, spec: &Value) -> Result<(), StoreError> {
        todo!("{record:?} {spec}")
    }

    /// Replaces the record.
    pub async fn save(&self, record: &JobRecord) -> Result<(), StoreError> {
        todo!("{record:?}")
    }

    /// The record of a job.
    pub async fn job(&self, job: JobId) -> Result<JobRecord, StoreError> {
        todo!("{job}")
    }

    /// The normalised spec of a job.
    pub async fn spec(&self, job: JobId) -> Result<Value, StoreError> {
        todo!("{job}")
    }

    /// All jobs, oldest first.
    pub async fn jobs(&self) -> Result<Vec<JobId>, StoreError> {
        todo!()
    }

    /// Jobs of a pipeline whose successes are not in the done index yet, oldest first.
    pub async fn unfolded(&self, pipeline: &PipelineName) -> Result<Vec<JobId>, StoreError> {
        todo!("{pipeline}")
    }

    /// Asks whoever runs the job to stop it.
    pub async fn request_stop(&self, job: JobId) -> Result<(), StoreError> {
        todo!("{job}")
    }

    /// Whether somebody asked to stop the job.
    pub async fn stop_requested(&self, job: JobId) -> Result<bool, StoreError> {
        todo!("{job}")
    }
}
