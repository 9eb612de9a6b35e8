//! The keys of jobs.

use crate::id::JobId;
use crate::job::JobKey;
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

impl Ledger {
    /// The key of a job; none if no leader of this version has led the job, which an older Drover submitted.
    pub async fn job_key(&self, job: JobId) -> Result<Option<JobKey>, StoreError> {
        self.read_optional(&layout::job_key(job), advice::JOB_KEY)
            .await
    }

    /// The key of a job, which is made unless the job has one. A folder store shows the key to its user alone, and to the
    /// group that shares the folder.
    pub async fn ensure_job_key(&self, job: JobId) -> Result<JobKey, StoreError> {
        if let Some(key) = self.job_key(job).await? {
            return Ok(key);
        }
        let at = layout::job_key(job);
        let key = JobKey::generate().map_err(|error| StoreError::Unavailable {
            key: at.clone(),
            source: error.into(),
        })?;
        let created = self.store.create_private(&at, to_json(&at, &key)?).await;
        self.first_created(created, key, &at, advice::JOB_KEY).await
    }
}
