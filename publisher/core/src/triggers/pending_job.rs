//! A job that is due and not submitted yet.

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, Scope, Submission};
use drover_shared::store::StoreError;
use jiff::Timestamp;
use serde_json::Value;

/// A job that the inputs of a registered pipeline call for.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingJob {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The spec, normalised.
    pub spec: Value,
    /// The fingerprint of the inputs.
    pub fingerprint: String,
}

impl PendingJob {
    /// True if no job was started for the fingerprint yet. The answer lasts only for the leader of the pipeline.
    pub async fn is_due(&self, ledger: &Ledger) -> Result<bool, StoreError> {
        for (_, submission) in ledger.submitted(&self.pipeline).await? {
            if submission.fingerprint.as_ref() == Some(&self.fingerprint) {
                return Ok(false);
            }
        }
        Ok(ledger.started_for(&self.pipeline).await?.as_ref() != Some(&self.fingerprint))
    }

    /// Submits the job.
    pub async fn submit(self, ledger: &Ledger) -> Result<JobRecord, StoreError> {
        let record = JobRecord::new(JobId::generate(), self.pipeline, Timestamp::now());
        let submission = Submission {
            scope: Scope::Everything,
            reprocess: false,
            keep_going: false,
            halt: None,
            after: Vec::new(),
            fingerprint: Some(self.fingerprint),
            trace: None,
        };
        ledger.submit(&record, &self.spec, &submission).await?;
        Ok(record)
    }
}
