//! A job that is due.

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, Scope, Submission};
use drover_shared::store::StoreError;
use jiff::Timestamp;
use serde_json::Value;

/// A job that is due: what a registered pipeline's inputs ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingJob {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Its spec, normalised.
    pub spec: Value,
    /// What the job is started for.
    pub fingerprint: String,
}

impl PendingJob {
    /// Whether no job was started for this yet. Only who keeps all others from starting jobs gets an answer that lasts.
    pub async fn is_due(&self, ledger: &Ledger) -> Result<bool, StoreError> {
        for (_, submission) in ledger.submitted(&self.pipeline).await? {
            if submission.fingerprint.as_ref() == Some(&self.fingerprint) {
                return Ok(false);
            }
        }
        Ok(ledger.started_for(&self.pipeline).await?.as_ref() != Some(&self.fingerprint))
    }

    /// Opens the books of the job.
    pub async fn submit(self, ledger: &Ledger) -> Result<JobRecord, StoreError> {
        let record = JobRecord::new(JobId::generate(), self.pipeline, Timestamp::now());
        let submission = Submission {
            scope: Scope::Everything,
            reprocess: false,
            after: Vec::new(),
            fingerprint: Some(self.fingerprint),
        };
        ledger.submit(&record, &self.spec, &submission).await?;
        Ok(record)
    }
}
