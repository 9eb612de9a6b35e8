//! Jobs: list, details, stop and retry.

use std::pin::pin;
use std::time::Duration;

use drover_shared::id::{IdempotencyKey, JobId, PipelineName, WorkerId};
use drover_shared::job::{CauseKey, JobRecord, JobState};
use drover_shared::ledger::Scope;
use drover_shared::queue::Broker;
use futures::{TryFutureExt, TryStreamExt};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scan::TimeBudget;
use super::why;
use crate::routing::api::Api;
use crate::routing::body::{Empty, JsonBody};
use crate::routing::error::Error;
use crate::routing::query::{Bounded, WordList};
use crate::routing::route::ApiRequest;
use drover_core::catalog::{self, SubmitOptions};
use drover_core::coordinator::{Assignment, RunningDatum, Snapshot};

/// Time limit of the broker for a submission.
const SUBMIT_LIMIT: Duration = Duration::from_secs(10);

/// Records that are read concurrently.
pub(crate) const CONCURRENT_READS: usize = 16;

/// A job in the path.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct JobPath {
    pub(crate) id: JobId,
}

/// Filter and page of the list.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct JobsQuery {
    /// Only jobs of the pipeline.
    pipeline: Option<PipelineName>,
    /// Only jobs in these states, separated by commas.
    #[serde(default)]
    state: WordList<JobState>,
    /// How many jobs, at most.
    #[serde(default)]
    limit: Bounded<50, 500>,
    /// Only jobs older than the current one.
    before: Option<JobId>,
}

/// Jobs, newest first.
#[derive(JsonSchema, Serialize)]
pub(crate) struct JobsPage {
    jobs: Vec<JobOverview>,
    /// Value of `before` for the next page, even after a page without matches; null at the end.
    next: Option<JobId>,
}

/// A job with the live figures of its coordinator.
#[derive(JsonSchema, Serialize)]
pub(crate) struct JobOverview {
    #[serde(flatten)]
    record: JobRecord,
    /// Datums in the queue.
    queued: u64,
    /// Datums that run now.
    running: u64,
    /// Ended datums a second over the last few seconds; null where unknown.
    rate: Option<f64>,
    /// Estimated seconds until all datums have ended.
    eta: Option<f64>,
}

impl JobOverview {
    /// Combines a record with the live snapshot, if the current process coordinates the job.
    pub(crate) fn of(record: JobRecord, live: Option<&Snapshot>) -> Self {
        let (queued, running) = queued_and_running(&record, live);
        Self {
            record,
            queued,
            running,
            rate: live.map(|live| live.rate),
            eta: live.and_then(eta),
        }
    }
}

pub(crate) async fn list(
    ApiRequest { api, query, .. }: ApiRequest<Empty, JobsQuery>,
) -> Result<JobsPage, Error> {
    let budget = TimeBudget::begin();
    let ids = catalog::history(api.ledger(), query.pipeline.as_ref(), query.before);
    let read = ids.map_ok(|id| api.readable(id).map_ok(move |record| (id, record)));
    let mut records = pin!(read.try_buffered(CONCURRENT_READS));
    let mut page = JobsPage {
        jobs: Vec::new(),
        next: None,
    };
    let mut last = None;
    while let Some((id, record)) = records.try_next().await? {
        let is_wanted = |record: &JobRecord| query.state.includes(&record.state);
        if let Some(record) = record.filter(is_wanted) {
            if page.jobs.len() == query.limit.get() {
                page.next = last;
                break;
            }
            let live = api.live(record.id);
            page.jobs.push(JobOverview::of(record, live.as_ref()));
        }
        last = Some(id);
        if budget.is_over() {
            page.next = last;
            break;
        }
    }
    Ok(page)
}

/// A job with live figures, requests and obstacles.
#[derive(JsonSchema, Serialize)]
pub(crate) struct JobDetails {
    record: JobRecord,
    /// Live figures; null if another process coordinates the job.
    live: Option<LiveJob>,
    /// Datums in the queue.
    queued: u64,
    /// Datums that run now.
    running: u64,
    /// True if a stop was requested.
    stop_requested: bool,
    /// The job of which the job is a retry.
    parent: Option<JobId>,
    /// The group of failures that is retried; null for a retry of all unsuccessful datums.
    group: Option<CauseKey>,
    /// Reason why the job makes no progress; null if there is none.
    why: Option<String>,
}

/// Live figures of a job in the process that coordinates the job.
#[derive(JsonSchema, Serialize)]
struct LiveJob {
    /// Ended datums a second over the last few seconds.
    rate: f64,
    /// Estimated seconds until all datums have ended.
    eta: Option<f64>,
    /// Running datums, oldest first; at most 64.
    running: Vec<Running>,
    /// True if all datums are known, so the total is final.
    expanded: bool,
    /// Progress of the output folder while files are published or copied.
    files: Option<PublishedFiles>,
}

/// A running datum.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Running {
    /// Index in the job.
    pub(crate) index: u64,
    /// Number of the attempt, counted from 1.
    pub(crate) attempt: u32,
    /// The worker that runs the datum.
    pub(crate) worker: WorkerId,
    /// Start of the attempt.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) since: Timestamp,
}

impl From<&RunningDatum> for Running {
    fn from(running: &RunningDatum) -> Self {
        Self {
            index: running.index,
            attempt: running.attempt,
            worker: running.worker.clone(),
            since: running.since,
        }
    }
}

/// Files of the output folder.
#[derive(JsonSchema, Serialize)]
struct PublishedFiles {
    /// Files in their final state.
    done: u64,
    /// All files to change.
    total: u64,
}

/// Estimated seconds until all datums of a job have ended.
fn eta(snapshot: &Snapshot) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let left = snapshot.record.datums.outstanding() as f64;
    (snapshot.expanded && snapshot.rate > 0.0).then(|| left / snapshot.rate)
}

impl LiveJob {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            rate: snapshot.rate,
            eta: eta(snapshot),
            running: snapshot.running.iter().map(Running::from).collect(),
            expanded: snapshot.expanded,
            files: snapshot.files.map(|files| PublishedFiles {
                done: files.done,
                total: files.total,
            }),
        }
    }
}

/// Queued and running datums of a job; jobs of other processes count all datums as queued.
fn queued_and_running(record: &JobRecord, live: Option<&Snapshot>) -> (u64, u64) {
    match live {
        Some(live) => (live.queued, live.running_count),
        None if record.state.is_final() => (0, 0),
        None => (record.datums.outstanding(), 0),
    }
}

pub(crate) async fn show(
    ApiRequest { api, path, .. }: ApiRequest<JobPath>,
) -> Result<JobDetails, Error> {
    let record = api.named(path.id).await?;
    let live = api.live(path.id);
    let submission = api.ledger().submission(path.id).await?;
    let stop_requested = api.ledger().stop_requested(path.id).await?;
    let (queued, running) = queued_and_running(&record, live.as_ref());
    let scope = submission.as_ref().map(|submission| submission.scope);
    let why = if record.state.is_final() {
        None
    } else {
        why::why(&api, &record, submission.as_ref(), stop_requested).await?
    };
    Ok(JobDetails {
        live: live.as_ref().map(LiveJob::of),
        record,
        queued,
        running,
        stop_requested,
        parent: scope.and_then(Scope::parent),
        group: scope.and_then(Scope::group),
        why,
    })
}

pub(crate) async fn stop(
    ApiRequest { api, path, .. }: ApiRequest<JobPath>,
) -> Result<JobRecord, Error> {
    let record = api.named(path.id).await?;
    if record.state.is_final() {
        let state = record.state.to_string();
        return Err(Error::conflict(format!(
            "job {} has ended already: {state}",
            record.id
        )));
    }
    stop_job(&api, path.id).await?;
    Ok(record)
}

/// Requests the stop of any process's job.
pub(crate) async fn stop_job(api: &Api, job: JobId) -> Result<(), Error> {
    api.ledger().request_stop(job).await?;
    if let Some(broker) = api.broker_handle().get()
        && let Err(error) = catalog::broadcast_stop(broker.as_ref(), api.ledger(), job).await
    {
        tracing::debug!(job.id = %job, "the stop request could not be published to the workers: {error}");
    }
    Ok(())
}

/// Scope of a retry.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RetryBody {
    /// Only the group of failures with the given key; other failures stay, and the new job fails for them. 422 for an
    /// unknown key, 409 if datums of the job never ended.
    group: Option<CauseKey>,
}

/// The new job.
#[derive(JsonSchema, Serialize)]
pub(crate) struct StartedJob {
    pub(crate) job: JobId,
}

pub(crate) async fn retry(
    ApiRequest {
        api,
        path,
        body,
        key,
        ..
    }: ApiRequest<JobPath, Empty, JsonBody<RetryBody>>,
) -> Result<StartedJob, Error> {
    let record = api.named(path.id).await?;
    if !record.state.is_final() {
        let state = record.state.to_string();
        return Err(Error::conflict(format!(
            "job {} is still {state}; wait for it, or stop it, and try again",
            record.id
        )));
    }
    let broker = api.broker()?;
    let group = body.0.group.map(|group| group.to_string());
    let assignment = catalog::retry(api.ledger(), &record, group.as_deref()).await?;
    let job = submit_one(&api, broker.as_ref(), assignment, key).await?;
    Ok(StartedJob { job })
}

/// Submits a job; returns its id.
pub(crate) async fn submit_one(
    api: &Api,
    broker: &dyn Broker,
    assignment: Assignment,
    key: Option<IdempotencyKey>,
) -> Result<JobId, Error> {
    let options = SubmitOptions {
        limit: SUBMIT_LIMIT,
        key,
    };
    let mut submitted = [assignment];
    catalog::submit(&mut submitted, api.ledger(), broker, &options, |_| {}).await?;
    Ok(submitted[0].record.id)
}
