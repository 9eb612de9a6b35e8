//! The space that a store takes below `.drover`, by pipeline, job and kind.

use std::collections::{BTreeMap, HashMap};
use std::panic::resume_unwind;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::store::{StoreError, layout};
use tokio::task::spawn_blocking;

use super::file_kind::{FileKind, FileOwner, Space, SpaceByKind, owner_and_kind};
use super::removal::files;
use crate::catalog::jobs_by_pipeline;

/// The space of a job, of a pipeline's records, or of the records of the store.
#[derive(Clone, Debug)]
pub struct JobUsage {
    /// The pipeline; none for records of the store, and for a job without a readable record.
    pub pipeline: Option<PipelineName>,
    /// The job; none for records of the pipeline or the store.
    pub job: Option<JobId>,
    /// True for an expired job, of which only used files are kept.
    pub is_expired: bool,
    /// The space by kind.
    pub space: BTreeMap<FileKind, Space>,
}

/// The space of all files below `.drover`, sorted by pipeline and job.
pub async fn usage(ledger: &Ledger) -> Result<Vec<JobUsage>, StoreError> {
    let mut pipelines: HashMap<JobId, (PipelineName, bool)> = HashMap::new();
    for (pipeline, jobs) in jobs_by_pipeline(ledger).await? {
        pipelines.extend(jobs.into_iter().map(|job| (job, (pipeline.clone(), false))));
    }
    let expired = ledger.expired_jobs().await?.into_iter();
    pipelines.extend(expired.map(|(job, pipeline)| (job, (pipeline, true))));
    let mut found: Vec<JobUsage> = walk(ledger)
        .await?
        .into_iter()
        .map(|(owner, space)| match owner {
            FileOwner::Store => usage_of(None, None, false, space),
            FileOwner::Pipeline(pipeline) => usage_of(Some(pipeline), None, false, space),
            FileOwner::Job(job) => match pipelines.remove(&job) {
                Some((pipeline, is_expired)) => {
                    usage_of(Some(pipeline), Some(job), is_expired, space)
                }
                None => usage_of(None, Some(job), false, space),
            },
        })
        .collect();
    found.sort_by(|a, b| (&a.pipeline, a.job).cmp(&(&b.pipeline, b.job)));
    Ok(found)
}

fn usage_of(
    pipeline: Option<PipelineName>,
    job: Option<JobId>,
    is_expired: bool,
    space: SpaceByKind,
) -> JobUsage {
    JobUsage {
        pipeline,
        job,
        is_expired,
        space,
    }
}

async fn walk(ledger: &Ledger) -> Result<BTreeMap<FileOwner, SpaceByKind>, StoreError> {
    let store = ledger.store().clone();
    let walking = spawn_blocking(move || {
        let mut owners: BTreeMap<FileOwner, SpaceByKind> = BTreeMap::new();
        for file in files(&store, &layout::drover_folder())? {
            let file = file?;
            let (owner, kind) = owner_and_kind(&file.path);
            *owners.entry(owner).or_default().entry(kind).or_default() += Space {
                files: 1,
                bytes: file.size,
            };
        }
        Ok(owners)
    });
    walking
        .await
        .unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
