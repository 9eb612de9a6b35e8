//! Job records, specs and stop requests.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::datum::CodeFile;
use crate::id::{JobId, PipelineName};
use crate::job::{FailureGroups, JobRecord};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json, to_json_lines};
use crate::store::{StoreError, StoreKey, layout};

impl Ledger {
    /// Creates the records of a new job: its marks in the pipeline, the key, the spec, and last the job record, which makes the
    /// job exist.
    pub async fn open_job(&self, record: &JobRecord, spec: &Value) -> Result<(), StoreError> {
        self.note_first_job(record.id).await?;
        for mark in [layout::unfolded, layout::pipeline_job] {
            let mark = mark(&record.pipeline, record.id);
            self.store.put(&mark, Bytes::new()).await?;
        }
        self.ensure_job_key(record.id).await?;
        let key = layout::spec(record.id);
        self.store.put(&key, to_json(&key, spec)?).await?;
        if has_receivers(spec) {
            self.note_receivers(&record.id.into()).await?;
        }
        self.save(record).await
    }

    /// Saves the record, which replaces an earlier one unless that is final: the first final record of a job stays.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the job has another final record.
    pub async fn save(&self, record: &JobRecord) -> Result<(), StoreError> {
        let key = layout::record(record.id);
        let bytes = to_json(&key, record)?;
        loop {
            let saved = match self.store.get_versioned(&key).await {
                Ok((current, _)) if current == bytes => Ok(()),
                Ok((_, version)) => {
                    // A damaged record is replaced.
                    let current = self.job(record.id).await;
                    if current.is_ok_and(|current| current.state.is_final()) {
                        return Err(StoreError::Exists { key });
                    }
                    self.store.replace(&key, bytes.clone(), &version).await
                }
                Err(StoreError::Missing { .. }) => self.store.create(&key, bytes.clone()).await,
                Err(error) => Err(error),
            };
            match saved {
                // Another process saved a record meanwhile.
                Err(StoreError::Changed { .. } | StoreError::Exists { .. }) => {}
                saved => return saved,
            }
        }
    }

    /// Forces everything that the processes of the local machine wrote for the pipeline to the disk: staged files, verdicts, seals
    /// and output folder. In a bucket every confirmed object is durable already.
    pub async fn sync(&self, pipeline: &PipelineName) -> Result<(), StoreError> {
        let elsewhere = [layout::drover_folder(), layout::output(pipeline)];
        self.store.sync(&elsewhere).await
    }

    /// Saves the final record of a job and forces it to the disk. [`Ledger::sync`] comes first.
    pub async fn save_final(&self, record: &JobRecord) -> Result<(), StoreError> {
        self.save(record).await?;
        self.store.persist(&layout::record(record.id)).await
    }

    /// Marks that every output of the job was forced to the disk by the leader that saw the job from its start.
    pub async fn mark_synced(&self, job: JobId) -> Result<(), StoreError> {
        self.store.put(&layout::synced(job), Bytes::new()).await
    }

    /// True if no power cut can have damaged the outputs of the job.
    pub async fn is_synced(&self, job: JobId) -> Result<bool, StoreError> {
        match self.store.entry(&layout::synced(job)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The record of a job.
    pub async fn job(&self, job: JobId) -> Result<JobRecord, StoreError> {
        self.read(&layout::record(job), advice::JOB).await
    }

    /// True if the job has a record.
    pub async fn has_job(&self, job: JobId) -> Result<bool, StoreError> {
        match self.job(job).await {
            Ok(_) => Ok(true),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Saves the failures of a job, grouped by cause.
    pub async fn save_failures(
        &self,
        job: JobId,
        failures: &FailureGroups,
    ) -> Result<(), StoreError> {
        let key = layout::failures(job);
        self.store.put(&key, to_json(&key, failures)?).await
    }

    /// Failures of a job, grouped by cause; empty before the job has ended.
    pub async fn failures(&self, job: JobId) -> Result<FailureGroups, StoreError> {
        match self.read(&layout::failures(job), advice::JOB).await {
            Err(StoreError::Missing { .. }) => Ok(FailureGroups::default()),
            failures => failures,
        }
    }

    /// Saves how long a job has run so far.
    pub async fn save_elapsed(&self, job: JobId, elapsed: Duration) -> Result<(), StoreError> {
        let millis = elapsed.as_millis().to_string();
        self.store.put(&layout::elapsed(job), millis.into()).await
    }

    /// How long a job had run when that was last saved.
    pub async fn elapsed(&self, job: JobId) -> Result<Duration, StoreError> {
        match self.store.get(&layout::elapsed(job)).await {
            Ok(bytes) => {
                let millis = std::str::from_utf8(&bytes)
                    .ok()
                    .and_then(|text| text.parse().ok());
                Ok(Duration::from_millis(millis.unwrap_or_default()))
            }
            Err(StoreError::Missing { .. }) => Ok(Duration::ZERO),
            Err(error) => Err(error),
        }
    }

    /// The normalised spec of a job.
    pub async fn spec(&self, job: JobId) -> Result<Value, StoreError> {
        self.read(&layout::spec(job), advice::JOB).await
    }

    /// Records the code files of a job, which its datums' ids depend on. The first record counts.
    pub async fn save_code(&self, job: JobId, files: &[CodeFile]) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        let key = layout::code(job);
        match self.store.create(&key, to_json_lines(&key, files)?).await {
            Err(StoreError::Exists { .. }) => Ok(()),
            created => created,
        }
    }

    /// The code files of a job.
    pub async fn code(&self, job: JobId) -> Result<Vec<CodeFile>, StoreError> {
        match self.read_lines(&layout::code(job), advice::JOB).await {
            Err(StoreError::Missing { .. }) => Ok(Vec::new()),
            files => files,
        }
    }

    /// All jobs, oldest first, without the expired ones.
    pub async fn jobs(&self) -> Result<Vec<JobId>, StoreError> {
        let mut jobs = self.job_ids(&layout::jobs()).await?;
        let expired = self.expired_jobs().await?;
        if !expired.is_empty() {
            let expired: HashSet<JobId> = expired.into_iter().map(|(job, _)| job).collect();
            jobs.retain(|job| !expired.contains(job));
        }
        Ok(jobs)
    }

    /// Jobs of a pipeline whose successes are not in the done index yet, oldest first.
    pub async fn unfolded(&self, pipeline: &PipelineName) -> Result<Vec<JobId>, StoreError> {
        self.job_ids(&layout::unfolded_jobs(pipeline)).await
    }

    /// The names below `prefix` that are job ids; other names are ignored.
    pub(in crate::ledger) async fn job_ids(
        &self,
        prefix: &StoreKey,
    ) -> Result<Vec<JobId>, StoreError> {
        let names = self.store.names(prefix).await?;
        let ids = names
            .iter()
            .filter_map(|name| name.trim_end_matches('/').parse().ok());
        Ok(ids.collect())
    }

    /// Requests that the job stop.
    pub async fn request_stop(&self, job: JobId) -> Result<(), StoreError> {
        self.store.put(&layout::stop(job), Bytes::new()).await
    }

    /// True if a stop of the job was requested.
    pub async fn stop_requested(&self, job: JobId) -> Result<bool, StoreError> {
        match self.store.entry(&layout::stop(job)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// True if the spec of a job names receivers of its events.
fn has_receivers(spec: &Value) -> bool {
    let receivers = spec.get("notify").and_then(Value::as_array);
    receivers.is_some_and(|receivers| !receivers.is_empty())
}
