//! A thorough pass over all pipelines of a store.

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::{self, Retention};
use drover_shared::store::StoreError;

use super::pass::{Effort, Removed, RetentionPass};
use crate::catalog::jobs_by_pipeline;

/// A pipeline after a pass.
#[derive(Clone, Debug)]
pub struct PipelineCollection {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The outcome.
    pub state: PipelineState,
}

/// Outcome of a pass.
#[derive(Clone, Debug)]
pub enum PipelineState {
    /// The pass, with its effect.
    Collected(Removed),
    /// A job of the pipeline is active; its leader makes a pass at the end of the job.
    Busy,
}

/// Makes a thorough pass over all pipelines, or over `only`. A dry run changes nothing. Jobs of an older Drover are noted.
pub async fn collect(
    ledger: &Ledger,
    only: Option<&PipelineName>,
    dry_run: bool,
) -> Result<Vec<PipelineCollection>, StoreError> {
    let mut jobs = jobs_by_pipeline(ledger).await?;
    for (_, pipeline) in ledger.expired_jobs().await? {
        jobs.entry(pipeline).or_default();
    }
    let mut collected = Vec::new();
    for (pipeline, jobs) in jobs {
        if only.is_none_or(|only| *only == pipeline) {
            let state = collect_pipeline(ledger, &pipeline, jobs, dry_run).await?;
            collected.push(PipelineCollection { pipeline, state });
        }
    }
    Ok(collected)
}

async fn collect_pipeline(
    ledger: &Ledger,
    pipeline: &PipelineName,
    jobs: Vec<JobId>,
    dry_run: bool,
) -> Result<PipelineState, StoreError> {
    let Some(_lock) = ledger.try_lock(pipeline).await? else {
        return Ok(PipelineState::Busy);
    };
    if !ledger.submitted(pipeline).await?.is_empty() {
        return Ok(PipelineState::Busy);
    }
    if !dry_run {
        let noted = ledger.jobs_of(pipeline).await?;
        for job in jobs.iter().filter(|job| noted.binary_search(job).is_err()) {
            ledger.note_job(pipeline, *job).await?;
        }
    }
    let retention = retention_of(ledger, pipeline, &jobs).await?;
    let pass = RetentionPass {
        ledger,
        pipeline,
        limits: retention.limits(ledger.retention().await?),
        effort: Effort::Thorough,
        dry_run,
    };
    Ok(PipelineState::Collected(pass.run(jobs).await?))
}

/// The retention in the spec of a pipeline: the registered one, else that of the newest job.
async fn retention_of(
    ledger: &Ledger,
    pipeline: &PipelineName,
    jobs: &[JobId],
) -> Result<Retention, StoreError> {
    let registered = ledger.registered(pipeline).await?;
    let spec = match (registered, jobs.last()) {
        (Some(registered), _) => registered.spec,
        (None, Some(newest)) => match ledger.spec(*newest).await {
            Ok(spec) => spec,
            Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => {
                return Ok(Retention::default());
            }
            Err(error) => return Err(error),
        },
        (None, None) => return Ok(Retention::default()),
    };
    Ok(pipeline::from_value(&spec).map_or_else(|_| Retention::default(), |spec| spec.retention))
}
