//! Submissions: jobs for the broker, recorded completely before any coordinator starts, so every later
//! coordinator can finish them.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{JobId, PipelineName};
use crate::job::{CauseKey, Halt, JobRecord};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};
use crate::trace_parent::TraceParent;

/// Instructions for the coordinator of a submitted job. A job without a submission belongs to the process that began
/// the job.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Submission {
    /// Which datums make up the job.
    pub scope: Scope,
    /// True if earlier successes run again, whatever the spec says.
    #[serde(default)]
    pub reprocess: bool,
    /// True to go on although the first datums all fail alike.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_going: bool,
    /// Ends the job before its last datum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// Upstream jobs of the same submission; the job begins after their success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<JobId>,
    /// For a job of a registered pipeline: fingerprint of the inputs that started the job. See
    /// [`Ledger::started_for`].
    #[serde(rename = "covers", default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The trace context of the submitter, which the datums of the job continue; none if the submitter had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

/// Which datums make up a job.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every datum that the inputs expand to at the start of the job.
    Everything,
    /// So many of the datums that are not done: the smallest, the largest and a spread between, by the size of their inputs. The job
    /// publishes nothing.
    First(NonZeroU32),
    /// The datums of an earlier job: datums that did not succeed run again, verdicts of the rest are taken over.
    FailedOf(JobId),
    /// The datums of an earlier job: failures with one cause run again, verdicts of the rest (other failures included)
    /// are taken over.
    GroupOf {
        /// The job.
        job: JobId,
        /// The cause.
        group: CauseKey,
    },
}

impl Scope {
    /// The retried job, if the scope is a retry.
    pub fn parent(self) -> Option<JobId> {
        match self {
            Self::Everything | Self::First(_) => None,
            Self::FailedOf(job) | Self::GroupOf { job, .. } => Some(job),
        }
    }

    /// The only group of failures to retry, if the retry is restricted.
    pub fn group(self) -> Option<CauseKey> {
        match self {
            Self::Everything | Self::First(_) | Self::FailedOf(_) => None,
            Self::GroupOf { group, .. } => Some(group),
        }
    }
}

impl Ledger {
    /// Creates the records of a submitted job, which outlive a power cut.
    pub async fn submit(
        &self,
        record: &JobRecord,
        spec: &Value,
        submission: &Submission,
    ) -> Result<(), StoreError> {
        let key = layout::submission(record.id);
        self.store.put(&key, to_json(&key, submission)?).await?;
        self.open_job(record, spec).await?;
        for key in [key, layout::spec(record.id), layout::record(record.id)] {
            self.store.persist(&key).await?;
        }
        Ok(())
    }

    /// Submission of a job; none if the job was not submitted to the broker.
    pub async fn submission(&self, job: JobId) -> Result<Option<Submission>, StoreError> {
        self.read_optional(&layout::submission(job), advice::JOB)
            .await
    }

    /// Submitted jobs of a pipeline that have not ended, oldest first, with their submissions.
    pub async fn submitted(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Vec<(JobRecord, Submission)>, StoreError> {
        let mut open = Vec::new();
        for job in self.unfolded(pipeline).await? {
            let record = match self.job(job).await {
                Ok(record) => record,
                // The submission exists and the job record is about to be written.
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

    /// True if a job of the pipeline has not ended, submitted or not.
    pub async fn has_open_job(&self, pipeline: &PipelineName) -> Result<bool, StoreError> {
        for job in self.unfolded(pipeline).await? {
            match self.job(job).await {
                Ok(record) if record.state.is_final() => {}
                Ok(_) => return Ok(true),
                // The job record is about to be written, or was removed.
                Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
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
