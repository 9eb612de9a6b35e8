//! Pipelines and jobs in need of a person: failures and standstills, with their reasons.

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobRecord, JobState};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::jobs::CONCURRENT_READS;
use super::{pipelines, why};
use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;
use drover_core::catalog;
use drover_core::triggers::{PipelineOverview, PipelineState};

/// Newest jobs in which failures of unregistered pipelines are looked for.
const NEWEST_JOBS: usize = 100;
/// Active jobs whose obstacles are looked for.
const MOST_OPEN: usize = 20;

/// Everything in need of a person, failures first.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Attention {
    items: Vec<AttentionItem>,
}

/// A pipeline or job in need of a person.
#[derive(JsonSchema, Serialize)]
struct AttentionItem {
    kind: AttentionKind,
    pipeline: PipelineName,
    /// The job; null for a pipeline without a job.
    job: Option<JobId>,
    /// The reason.
    why: String,
    /// Since when, as far as known.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    since: Option<Timestamp>,
}

/// Kind of the trouble, in the order of the list.
#[derive(Clone, Copy, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
enum AttentionKind {
    /// The newest job of the pipeline failed.
    Failed,
    /// An active job makes no progress.
    Stalled,
    /// The pipeline cannot start a job.
    Waiting,
}

pub(crate) async fn list(ApiRequest { api, .. }: ApiRequest) -> Result<Attention, Error> {
    let registered = pipelines::all(&api).await?;
    let newest = newest_jobs(&api).await?;
    let mut items: Vec<AttentionItem> = registered.iter().filter_map(of_pipeline).collect();
    let is_registered =
        |job: &JobRecord| registered.iter().any(|each| each.pipeline == job.pipeline);
    let mut seen = Vec::new();
    for job in newest.iter().filter(|job| !is_registered(job)) {
        if !seen.contains(&&job.pipeline) {
            seen.push(&job.pipeline);
            items.extend(failure(job));
        }
    }
    let open = registered.iter().flat_map(|pipeline| &pipeline.open_jobs);
    let others = newest.iter().filter(|job| !is_registered(job));
    let is_open = |job: &&JobRecord| !job.state.is_final();
    let open: Vec<JobRecord> = open
        .chain(others)
        .filter(is_open)
        .take(MOST_OPEN)
        .cloned()
        .collect();
    let looks = open.into_iter().map(|job| obstacle(api.clone(), job));
    let mut obstacles = stream::iter(looks).buffered(CONCURRENT_READS);
    while let Some(item) = obstacles.next().await {
        items.extend(item?);
    }
    drop(obstacles);
    items.sort_by_key(|item| item.kind);
    Ok(Attention { items })
}

/// The newest jobs with readable records, newest first.
async fn newest_jobs(api: &Api) -> Result<Vec<JobRecord>, Error> {
    let ids = catalog::history(api.ledger(), None, None).take(NEWEST_JOBS);
    let records = ids.map_ok(|id| api.readable(id));
    let records = records.try_buffered(CONCURRENT_READS);
    let newest: Vec<Option<JobRecord>> = records.try_collect().await?;
    Ok(newest.into_iter().flatten().collect())
}

fn of_pipeline(pipeline: &PipelineOverview) -> Option<AttentionItem> {
    match pipeline.state {
        PipelineState::Failed => failure(pipeline.last_job.as_ref()?),
        // An open job tells of its pipeline.
        PipelineState::Waiting if pipeline.open_jobs.is_empty() => Some(AttentionItem {
            kind: AttentionKind::Waiting,
            pipeline: pipeline.pipeline.clone(),
            job: None,
            why: pipeline.why.clone().unwrap_or_default(),
            since: None,
        }),
        _ => None,
    }
}

/// The failure of a job; a stopped job needs nobody.
fn failure(job: &JobRecord) -> Option<AttentionItem> {
    (job.state == JobState::Failure).then(|| AttentionItem {
        kind: AttentionKind::Failed,
        pipeline: job.pipeline.clone(),
        job: Some(job.id),
        why: job.reason.clone().unwrap_or_default(),
        since: job.finished,
    })
}

async fn obstacle(api: Api, job: JobRecord) -> Result<Option<AttentionItem>, Error> {
    let submission = api.ledger().submission(job.id).await?;
    let why = why::why(&api, &job, submission.as_ref(), false).await?;
    Ok(why.map(|why| AttentionItem {
        kind: AttentionKind::Stalled,
        pipeline: job.pipeline,
        job: Some(job.id),
        why,
        since: job.started.or(Some(job.created)),
    }))
}
