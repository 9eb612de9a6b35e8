//! Expired jobs: records are removed, and reused outputs stay.
//!
//! A job expires in steps, and the process may die after each step. The mark below `sweep` comes first and goes last, so the
//! next pass continues. The mark below `expired` hides the job from all lists.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{JobId, PipelineName};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, damaged, to_json};
use crate::pipeline::Retention;
use crate::store::{StoreError, layout};

/// The retention of a store, as it was typed.
#[derive(Deserialize, Serialize)]
struct StoreRetention {
    retention: String,
}

impl Ledger {
    /// The default retention of the pipelines; empty without a setting.
    pub async fn retention(&self) -> Result<Retention, StoreError> {
        let key = layout::retention();
        let saved = self.read_optional::<StoreRetention>(&key, advice::RETENTION);
        let Some(saved) = saved.await? else {
            return Ok(Retention::default());
        };
        let parsed = saved.retention.parse();
        parsed.map_err(|problem: String| damaged(&key, advice::RETENTION, problem))
    }

    /// Sets the default retention of the pipelines, in the notation of [`Retention`]; none removes the setting.
    pub async fn set_retention(&self, retention: Option<&str>) -> Result<(), StoreError> {
        let key = layout::retention();
        match retention {
            None => self.store.delete(&key).await,
            Some(text) => {
                let retention = text.to_owned();
                self.store
                    .put(&key, to_json(&key, &StoreRetention { retention })?)
                    .await
            }
        }
    }

    /// The jobs of a pipeline with a record, oldest first. Jobs of an older Drover are missing until
    /// [`Ledger::note_job`] notes them.
    pub async fn jobs_of(&self, pipeline: &PipelineName) -> Result<Vec<JobId>, StoreError> {
        self.job_ids(&layout::pipeline_jobs(pipeline)).await
    }

    /// Notes a job among those of its pipeline.
    pub async fn note_job(&self, pipeline: &PipelineName, job: JobId) -> Result<(), StoreError> {
        self.store
            .put(&layout::pipeline_job(pipeline, job), Bytes::new())
            .await
    }

    /// True if every job is noted among those of its pipeline: an older Drover noted none.
    pub async fn are_jobs_noted(&self) -> Result<bool, StoreError> {
        if self.are_jobs_noted.load(Ordering::Relaxed) {
            return Ok(true);
        }
        match self.store.entry(&layout::jobs_noted()).await {
            Ok(_) => self.are_jobs_noted.store(true, Ordering::Relaxed),
            Err(StoreError::Missing { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Marks that every job is noted.
    pub async fn all_jobs_noted(&self) -> Result<(), StoreError> {
        self.store.put(&layout::jobs_noted(), Bytes::new()).await
    }

    /// Marks that every job is noted, in a store that has no job except `first`, which is noted next.
    pub(super) async fn note_first_job(&self, first: JobId) -> Result<(), StoreError> {
        if self.are_jobs_noted().await? {
            return Ok(());
        }
        let jobs = self.store.names_after(&layout::jobs(), "").await?;
        let own = format!("{first}/");
        if jobs.has_more || jobs.names.iter().any(|name| *name != own) {
            return Ok(());
        }
        self.all_jobs_noted().await
    }

    /// Expired jobs of all pipelines with kept outputs, oldest first.
    pub async fn expired_jobs(&self) -> Result<Vec<(JobId, PipelineName)>, StoreError> {
        let names = self.store.names(&layout::expired_jobs()).await?;
        let parsed = names.iter().filter_map(|name| {
            let (job, pipeline) = name.split_once('.')?;
            Some((job.parse().ok()?, pipeline.parse().ok()?))
        });
        Ok(parsed.collect())
    }

    /// Lets an ended job expire: hides the job, and marks the files for the sweep. Safe to repeat.
    pub async fn expire(&self, pipeline: &PipelineName, job: JobId) -> Result<(), StoreError> {
        self.mark_for_sweep(pipeline, job).await?;
        self.store
            .put(&layout::expired_job(pipeline, job), Bytes::new())
            .await?;
        self.store
            .delete(&layout::pipeline_job(pipeline, job))
            .await
    }

    /// Marks an expired job with files to be removed.
    pub async fn mark_for_sweep(
        &self,
        pipeline: &PipelineName,
        job: JobId,
    ) -> Result<(), StoreError> {
        self.store
            .put(&layout::sweep(pipeline, job), Bytes::new())
            .await
    }

    /// Expired jobs of a pipeline with files to be removed, oldest first.
    pub async fn marked_for_sweep(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Vec<JobId>, StoreError> {
        self.job_ids(&layout::sweeps(pipeline)).await
    }

    /// Ends the sweep of an expired job. `is_empty` is true if no file of the job is left.
    pub async fn swept(
        &self,
        pipeline: &PipelineName,
        job: JobId,
        is_empty: bool,
    ) -> Result<(), StoreError> {
        // An earlier pass may have been cut off before it removed the first mark.
        let listed = Some(layout::pipeline_job(pipeline, job));
        let expired = is_empty.then(|| layout::expired_job(pipeline, job));
        let sweep = Some(layout::sweep(pipeline, job));
        let marks = [listed, expired, sweep].into_iter().flatten();
        for mark in marks {
            self.store.delete(&mark).await?;
        }
        Ok(())
    }

    /// The logs of a job that were removed for age, as noted by [`Ledger::note_removed_logs`]; empty by default.
    pub async fn removed_logs(&self, job: JobId) -> Result<String, StoreError> {
        match self.store.get(&layout::logs_removed(job)).await {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(StoreError::Missing { .. }) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Notes the removed logs of a job.
    pub async fn note_removed_logs(
        &self,
        job: JobId,
        which: &'static str,
    ) -> Result<(), StoreError> {
        let note = Bytes::from_static(which.as_bytes());
        self.store.put(&layout::logs_removed(job), note).await
    }
}
