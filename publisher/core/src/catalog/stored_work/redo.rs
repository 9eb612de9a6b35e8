//! Forgetting of chosen successes, so the next job does their work again.

use drover_shared::glob::{Glob, GlobTooComplex};
use drover_shared::id::{DatumId, JobId, PipelineName};
use drover_shared::ledger::{Ledger, ManifestEntry, PipelineLock};
use drover_shared::store::StoreError;

use super::successes::{Successes, jobs_with_output};

/// The successes to forget; all conditions must hold, and without any every success is chosen.
#[derive(Clone, Debug, Default)]
pub struct RedoFilter {
    /// Glob over the paths of inputs.
    pub path: Option<Glob>,
    /// Beginning of the datum id.
    pub datum: Option<String>,
    /// The first job whose successes are chosen.
    pub since: Option<JobId>,
}

/// Successes could not be forgotten.
#[derive(Debug, thiserror::Error)]
pub enum RedoError {
    /// The pipeline never had a job.
    #[error("no job of pipeline {0} is in this store; `drover jobs` lists the jobs")]
    Unknown(PipelineName),
    /// A job of the pipeline is active.
    #[error("a job of {0} is active; wait for the job, or stop it, and try again")]
    Busy(PipelineName),
    /// The glob is too complex.
    #[error(transparent)]
    Glob(#[from] GlobTooComplex),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RedoFilter {
    fn takes(&self, entry: &ManifestEntry) -> Result<bool, GlobTooComplex> {
        let is_named = |prefix: &String| entry.datum.id.to_string().starts_with(prefix.as_str());
        if !self.datum.as_ref().is_none_or(is_named) {
            return Ok(false);
        }
        let Some(glob) = &self.path else {
            return Ok(true);
        };
        for input in &entry.datum.inputs {
            if glob.matches(&input.path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Forgets the chosen successes of a pipeline; returns how many. Their stored output stays until it is replaced.
pub async fn redo(
    ledger: &Ledger,
    pipeline: &PipelineName,
    filter: &RedoFilter,
) -> Result<u64, RedoError> {
    let _lock = idle(ledger, pipeline).await?;
    let jobs = jobs_with_output(ledger).await?.remove(pipeline);
    let jobs = jobs.ok_or_else(|| RedoError::Unknown(pipeline.clone()))?;
    // Folds in the successes of an interrupted job, which could not be forgotten otherwise.
    let done = ledger.done_index(pipeline).await?;
    let successes = Successes::new(ledger, pipeline, done).await?;
    let mut chosen: Vec<DatumId> = Vec::new();
    for job in jobs {
        if filter.since.is_some_and(|since| job < since) {
            continue;
        }
        for segment in ledger.segments(job).await? {
            for (entry, _) in successes.of_segment(ledger, job, segment).await? {
                if filter.takes(&entry)? {
                    chosen.push(entry.datum.id);
                }
            }
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    if !chosen.is_empty() {
        ledger.forget(pipeline, &chosen).await?;
    }
    Ok(chosen.len() as u64)
}

/// Forgets the successes of the given work of a pipeline.
pub async fn redo_datums(
    ledger: &Ledger,
    pipeline: &PipelineName,
    work: &[DatumId],
) -> Result<(), RedoError> {
    let _lock = idle(ledger, pipeline).await?;
    // Folds in the successes of an interrupted job.
    ledger.done_index(pipeline).await?;
    ledger.forget(pipeline, work).await?;
    Ok(())
}

/// Locks a pipeline without an active job.
async fn idle(ledger: &Ledger, pipeline: &PipelineName) -> Result<PipelineLock, RedoError> {
    let busy = || RedoError::Busy(pipeline.clone());
    let lock = ledger.try_lock(pipeline).await?.ok_or_else(busy)?;
    if !ledger.submitted(pipeline).await?.is_empty() {
        return Err(busy());
    }
    Ok(lock)
}
