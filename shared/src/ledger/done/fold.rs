//! Maintenance of the done index: folding in finished jobs, and rebuilding a damaged index.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, BufWriter};

use bytes::Bytes;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::DoneIndex;
use super::format::{DoneTable, Success};
use crate::datum::VerdictState;
use crate::id::{DatumId, JobId, PipelineName};
use crate::ledger::records::advice;
use crate::ledger::{Ledger, Segment};
use crate::store::{StoreError, StoreKey, layout};

/// As much of a verdict as the done index needs.
#[derive(Deserialize)]
struct VerdictSummary {
    index: u64,
    datum: DatumId,
    state: VerdictState,
}

impl VerdictSummary {
    fn success(self) -> Option<Success> {
        let Self {
            index,
            datum,
            state,
        } = self;
        (state == VerdictState::Success).then_some(Success { datum, index })
    }
}

/// Skips a damaged record with a warning; passes on any other failure.
fn skip_damaged(job: JobId, error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Corrupt { .. } => {
            let error = &error as &dyn std::error::Error;
            warn!(job.id = %job, error, "a damaged record of job {job} is skipped; the datums in it run again");
            Ok(())
        }
        failure => Err(failure),
    }
}

impl Ledger {
    /// The done index of a pipeline. Folds in the successes of unfolded jobs first (and writes the index back), so
    /// that an interrupted job counts; submitted jobs that have not ended are skipped. The caller holds the pipeline's
    /// lock and has not opened the next job yet.
    pub async fn done_index(&self, pipeline: &PipelineName) -> Result<DoneIndex, StoreError> {
        self.read_done(pipeline).await?; // Damage is noticed before the jobs to fold are listed.
        for job in self.unfolded(pipeline).await? {
            if !self.is_unfinished_submission(job).await? {
                self.fold(pipeline, job).await?;
            }
        }
        self.read_done(pipeline).await.map(DoneIndex)
    }

    /// True if a job was submitted to the broker and has not ended.
    async fn is_unfinished_submission(&self, job: JobId) -> Result<bool, StoreError> {
        if self.submission(job).await?.is_none() {
            return Ok(false);
        }
        match self.job(job).await {
            Ok(record) => Ok(!record.state.is_final()),
            // The submission exists and the job record is about to be written.
            Err(StoreError::Missing { .. }) => Ok(true),
            Err(error) => skip_damaged(job, error).map(|()| false),
        }
    }

    /// Adds the successes of an ended job to the pipeline's done index. Safe to repeat.
    pub async fn fold(&self, pipeline: &PipelineName, job: JobId) -> Result<(), StoreError> {
        let successes = self.successes(job).await?;
        if !successes.is_empty() {
            let index = self.read_done(pipeline).await?;
            self.replace_done(pipeline, move |to| index.merge(job, &successes, to))
                .await?;
        }
        self.store.delete(&layout::unfolded(pipeline, job)).await
    }

    /// Removes work from the done index so the work runs again: its output was lost.
    pub async fn forget(
        &self,
        pipeline: &PipelineName,
        work: &[DatumId],
    ) -> Result<(), StoreError> {
        let index = self.read_done(pipeline).await?;
        let mut work = work.to_vec();
        work.sort_unstable();
        self.replace_done(pipeline, move |to| index.without(&work, to))
            .await
    }

    /// Removes the work for which `keep` (given its [position](DoneIndex::position) in `index`) is false. Returns false,
    /// and changes nothing, if the stored index differs from `index` by now.
    pub async fn retain_done(
        &self,
        pipeline: &PipelineName,
        index: &DoneIndex,
        keep: impl Fn(usize) -> bool,
    ) -> Result<bool, StoreError> {
        let key = layout::done(pipeline);
        let (bytes, version) = match self.store.get_versioned(&key).await {
            Err(StoreError::Missing { .. }) => return Ok(false),
            found => found?,
        };
        if !DoneTable::parse(&bytes).is_ok_and(|found| found == index.0) {
            return Ok(false);
        }
        let mut retained = Vec::with_capacity(bytes.len());
        index
            .0
            .retain(keep, &mut retained)
            .map_err(|error| write_error(&key, error))?;
        match self.store.replace(&key, retained.into(), &version).await {
            Err(StoreError::Changed { .. }) => Ok(false),
            replaced => replaced.map(|()| true),
        }
    }

    /// The done index as last written, without unfolded jobs, for readers without the lock. Changes nothing: a damaged
    /// index counts as empty until a job rebuilds it.
    pub async fn written_done_index(
        &self,
        pipeline: &PipelineName,
    ) -> Result<DoneIndex, StoreError> {
        match self.store.get(&layout::done(pipeline)).await {
            Err(StoreError::Missing { .. }) => Ok(DoneIndex::default()),
            bytes => Ok(DoneIndex(DoneTable::parse(&bytes?).unwrap_or_default())),
        }
    }

    /// The done index as last written. A damaged index counts as empty, and all jobs are folded again.
    async fn read_done(&self, pipeline: &PipelineName) -> Result<DoneTable, StoreError> {
        let key = layout::done(pipeline);
        let parsed = match self.store.get(&key).await {
            Err(StoreError::Missing { .. }) => return Ok(DoneTable::default()),
            Err(StoreError::Corrupt { .. }) => Err("it is not a file"),
            bytes => DoneTable::parse(&bytes?),
        };
        match parsed {
            Ok(index) => Ok(index),
            Err(problem) => {
                warn!(pipeline.name = %pipeline, problem, "{key} is damaged; rebuilding it from the jobs");
                self.unfold_all(pipeline).await?;
                self.store.delete(&key).await?;
                Ok(DoneTable::default())
            }
        }
    }

    /// Marks all jobs of the pipeline as not folded yet.
    async fn unfold_all(&self, pipeline: &PipelineName) -> Result<(), StoreError> {
        let mut jobs = Vec::new();
        for (job, of) in self.expired_jobs().await? {
            if of == *pipeline {
                jobs.push(job);
            }
        }
        for job in self.jobs().await? {
            match self.job(job).await {
                Ok(record) if record.pipeline == *pipeline => jobs.push(job),
                Ok(_) | Err(StoreError::Missing { .. }) => {}
                Err(error) => skip_damaged(job, error)?,
            }
        }
        for job in jobs {
            self.store
                .put(&layout::unfolded(pipeline, job), Bytes::new())
                .await?;
        }
        Ok(())
    }

    /// Successes of a job, sorted by datum. Damaged records do not count, so their work runs again.
    async fn successes(&self, job: JobId) -> Result<Vec<Success>, StoreError> {
        let mut successes = vec![];
        for segment in self.segments(job).await? {
            match self.verdict_summaries(job, segment).await {
                Ok(summaries) => {
                    successes.extend(summaries.into_iter().filter_map(VerdictSummary::success));
                }
                Err(error) => skip_damaged(job, error)?,
            }
        }
        // Of equal work the newest counts: earlier output may have been lost.
        successes.sort_unstable_by_key(|success| (success.datum, Reverse(success.index)));
        Ok(successes)
    }

    /// How the datums of a segment ended.
    async fn verdict_summaries(
        &self,
        job: JobId,
        segment: Segment,
    ) -> Result<Vec<VerdictSummary>, StoreError> {
        let sealed = layout::result(job, &segment.to_string());
        match self.read_lines(&sealed, advice::DETAIL).await {
            Err(StoreError::Missing { .. }) => {}
            summaries => return summaries,
        }
        let mut summaries = vec![];
        for index in self.committed_indexes(job, segment).await? {
            match self
                .read::<VerdictSummary>(&layout::commit(job, index), advice::VERDICT)
                .await
            {
                Ok(summary) if summary.index != index => {
                    warn!(job.id = %job, "the verdict at index {index} is that of datum {}; the datum runs again", summary.index);
                }
                Ok(summary) => summaries.push(summary),
                Err(error) => skip_damaged(job, error)?,
            }
        }
        Ok(summaries)
    }

    /// Replaces the done index by the output of `write`, through a file because the index may be large.
    async fn replace_done(
        &self,
        pipeline: &PipelineName,
        write: impl FnOnce(BufWriter<&File>) -> io::Result<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        let key = layout::done(pipeline);
        let folder = self
            .store
            .local_path(&layout::tmp())
            .unwrap_or_else(std::env::temp_dir);
        let written = spawn_blocking(move || {
            std::fs::create_dir_all(&folder)?;
            let file = tempfile::NamedTempFile::new_in(folder)?;
            write(BufWriter::new(file.as_file()))?;
            Ok(file.into_temp_path())
        });
        let written = written.await.map_err(io::Error::other).flatten();
        let file = written.map_err(|error| write_error(&key, error))?;
        self.store.adopt(&file, &key).await?;
        // The marks of folded jobs are removed next.
        self.store.persist(&key).await
    }
}

fn write_error(key: &StoreKey, error: io::Error) -> StoreError {
    let key = key.clone();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full {
            key,
            source: error.into(),
        },
        _ => StoreError::Unavailable {
            key,
            source: error.into(),
        },
    }
}
