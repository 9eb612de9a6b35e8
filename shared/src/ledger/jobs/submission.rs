//! Jobs on the broker: written down whole before anybody is at them, so that whoever comes can see them through.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{JobId, PipelineName};
use crate::job::{CauseKey, JobRecord};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// What the coordinator of a job on the broker is to do. A job without one belongs to the process that began it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Submission {
    /// Which datums make up the job.
    pub scope: Scope,
    /// Whether work that succeeded before is done again, whatever the spec says.
    #[serde(default)]
    pub reprocess: bool,
    /// Jobs whose output this one reads, published together with it: it begins once they have succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<JobId>,
    /// For a job of a registered pipeline: what it was started for. See [`Ledger::started_for`].
    #[serde(rename = "covers", default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Which datums make up a job.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All that the inputs expand to now.
    Everything,
    /// Those of an earlier job: what did not succeed in it runs again, the rest is taken over.
    FailedOf(JobId),
    /// Those of an earlier job: what failed in it with one cause runs again, the rest is taken over, other failures too.
    GroupOf {
        /// The job.
        job: JobId,
        /// The cause.
        group: CauseKey,
    },
}

impl Scope {
    /// The job that is retried, if one is.
    pub fn parent(self) -> Option<JobId> {
        match self {
            Self::Everything => None,
            Self::FailedOf(job) | Self::GroupOf { job, .. } => Some(job),
        }
    }

    /// The failures that alone are retried, if only some are.
    pub fn group(self) -> Option<CauseKey> {
        match self {
            Self::Everything | Self::FailedOf(_) => None,
            Self::GroupOf { group, .. } => Some(group),
        }
    }
}

impl Ledger {
    /// Opens the books of a job for whoever coordinates it.
    pub async fn submit(
        &self,
        record: &JobRecord,
        spec: &Value,
        submission: &Submission,
    ) -> Result<(), StoreError> {
        let key = layout::submission(record.id);
        self.store.put(&key, to_json(&key, submission)?).await?;
        self.open_job(record, spec).await
    }

    /// What the coordinator of a job is to do; none for a job that is not on the broker.
    pub async fn submission(&self, job: JobId) -> Result<Option<Submission>, StoreError> {
        match self.read(&layout::submission(job), advice::JOB).await {
            Ok(submission) => Ok(Some(submission)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Jobs of a pipeline that are on the broker and have not ended, oldest first, with what is to be done.
    pub async fn submitted(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Vec<(JobRecord, Submission)>, StoreError> {
        let mut open = Vec::new();
        for job in self.unfolded(pipeline).await? {
            let record = match self.job(job).await {
                Ok(record) => record,
                // Its books are just being opened.
                Err(StoreError::Missing { .. }) => continue,
                Err(error) => return Err(error),
            };
            if record.state.is_final() {
                continue;
            }
            if let Some(submission) = self.submission(job).await? {
                open.push((record, submission));
            }
        }
        Ok(open)
    }

    /// All pipelines that ever had a job.
    pub async fn pipelines(&self) -> Result<Vec<PipelineName>, StoreError> {
        let names = self.store.names(&layout::pipelines()).await?;
        let parsed = names
            .iter()
            .filter_map(|name| name.strip_suffix('/')?.parse().ok());
        Ok(parsed.collect())
    }
}
