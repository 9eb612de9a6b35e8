//! Jobs: listed, shown, stopped, retried.

use drover_shared::id::{JobId, PipelineName, WorkerId};
use drover_shared::job::{CauseKey, JobRecord, JobState};
use drover_shared::ledger::Scope;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scan::Patience;
use super::why;
use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::query::{Bounded, Words};
use crate::routing::route::{Ask, JsonBody, Nothing};
use drover_core::catalog;
use drover_core::coordinator::{RunningDatum, Snapshot};

/// Records read at once.
pub(crate) const READS_AT_ONCE: usize = 16;

/// A job in the path.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct JobPath {
    /// The job.
    pub(crate) id: JobId,
}

/// Which jobs are listed.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct JobsQuery {
    /// Only jobs of this pipeline.
    pipeline: Option<PipelineName>,
    /// Only jobs in these states, separated by commas.
    #[serde(default)]
    state: Words<JobState>,
    /// How many jobs, at most.
    #[serde(default)]
    limit: Bounded<50, 500>,
    /// Only jobs older than this one.
    before: Option<JobId>,
}

/// Jobs, newest first.
#[derive(JsonSchema, Serialize)]
pub(crate) struct JobsPage {
    jobs: Vec<Seen>,
    /// What to give as `before` to go on, perhaps with nothing found so far; null at the end.
    next: Option<JobId>,
}

/// A job, and what its coordinator knows beside.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Seen {
    #[serde(flatten)]
    record: JobRecord,
    /// Datums that wait for a worker.
    queued: u64,
    /// Datums that a worker is at.
    running: u64,
    /// Datums ended a second, over the last few seconds; null where it is not known.
    rate: Option<f64>,
    /// Seconds until all datums have ended, if it goes on like that.
    eta: Option<f64>,
}

impl Seen {
    /// A job, of which `live` is known if it is coordinated here.
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
    Ask { api, query, .. }: Ask<Nothing, JobsQuery>,
) -> Result<JobsPage, Error> {
    let patience = Patience::begin();
    let is_older = |id: &JobId| query.before.is_none_or(|before| *id < before);
    let ids = api
        .ledger()
        .jobs()
        .await?
        .into_iter()
        .rev()
        .filter(is_older);
    let read = |id: JobId| {
        let api = api.clone();
        async move { (id, api.readable(id).await) }
    };
    let mut records = stream::iter(ids).map(read).buffered(READS_AT_ONCE);
    let mut page = JobsPage {
        jobs: Vec::new(),
        next: None,
    };
    let mut last = None;
    while let Some((id, record)) = records.next().await {
        let is_wanted = |record: &JobRecord| {
            query
                .pipeline
                .as_ref()
                .is_none_or(|name| record.pipeline == *name)
                && query.state.take(&record.state)
        };
        if let Some(record) = record?.filter(is_wanted) {
            if page.jobs.len() == query.limit.get() {
                page.next = last;
                break;
            }
            let live = api.live(record.id);
            page.jobs.push(Seen::of(record, live.as_ref()));
        }
        last = Some(id);
        if patience.is_over() {
            page.next = last;
            break;
        }
    }
    Ok(page)
}

/// A job, and what is known of it beside its record.
#[derive(JsonSchema, Serialize)]
pub(crate) struct JobDetails {
    record: JobRecord,
    /// What only the process knows that coordinates the job; null in others.
    live: Option<Live>,
    /// Datums that wait for a worker.
    queued: u64,
    /// Datums that a worker is at.
    running: u64,
    /// Whether somebody asked for its end.
    stop_requested: bool,
    /// The job that this one is a retry of.
    parent: Option<JobId>,
    /// The group of failures that alone it retries; null if it retries all that did not succeed.
    group: Option<CauseKey>,
    /// What keeps it from moving; null if nothing does.
    why: Option<String>,
}

/// A job as the process sees it that coordinates it.
#[derive(JsonSchema, Serialize)]
struct Live {
    /// Datums ended a second, over the last few seconds.
    rate: f64,
    /// Seconds until all datums have ended, if it goes on like that.
    eta: Option<f64>,
    /// What runs, the oldest first; the first 64.
    running: Vec<Running>,
    /// Whether all datums are known, so that the total is final.
    expanded: bool,
    /// How far the output folder is, while it is published or copied.
    files: Option<Files>,
}

/// A datum that a worker is at.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Running {
    /// Its place in the job.
    pub(crate) index: u64,
    /// Which attempt, counted from 1.
    pub(crate) attempt: u32,
    /// Who runs it.
    pub(crate) worker: WorkerId,
    /// Since when.
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
struct Files {
    /// That are as they should be.
    done: u64,
    /// All that are to be changed.
    total: u64,
}

/// Seconds until all datums of a job have ended, as far as one can tell.
fn eta(snapshot: &Snapshot) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let left = snapshot.record.datums.outstanding() as f64;
    (snapshot.expanded && snapshot.rate > 0.0).then(|| left / snapshot.rate)
}

impl Live {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            rate: snapshot.rate,
            eta: eta(snapshot),
            running: snapshot.running.iter().map(Running::from).collect(),
            expanded: snapshot.expanded,
            files: snapshot.files.map(|files| Files {
                done: files.done,
                total: files.total,
            }),
        }
    }
}

/// Datums of a job that wait, and that run, as far as it is known.
fn queued_and_running(record: &JobRecord, live: Option<&Snapshot>) -> (u64, u64) {
    match live {
        Some(live) => (live.queued, live.running.len() as u64),
        None if record.state.is_final() => (0, 0),
        None => (record.datums.outstanding(), 0),
    }
}

pub(crate) async fn show(Ask { api, path, .. }: Ask<JobPath>) -> Result<JobDetails, Error> {
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
        live: live.as_ref().map(Live::of),
        record,
        queued,
        running,
        stop_requested,
        parent: scope.and_then(Scope::parent),
        group: scope.and_then(Scope::group),
        why,
    })
}

pub(crate) async fn stop(Ask { api, path, .. }: Ask<JobPath>) -> Result<JobRecord, Error> {
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

/// Asks for the end of a job, which may be anybody's.
pub(crate) async fn stop_job(api: &Api, job: JobId) -> Result<(), Error> {
    api.ledger().request_stop(job).await?;
    if let Some(broker) = api.reach().get()
        && let Err(error) = catalog::broadcast_stop(broker.as_ref(), job).await
    {
        tracing::debug!(job.id = %job, "workers could not be told at once that the job is to stop: {error}");
    }
    Ok(())
}

/// What is to be retried.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RetryBody {
    /// Only this group of failures, by its key; others stay failed, and the new job fails for them. 422 if the job has no
    /// such failures, 409 if datums of it never ended.
    group: Option<CauseKey>,
}

/// A job that was started.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Started {
    /// The job.
    pub(crate) job: JobId,
}

pub(crate) async fn retry(
    Ask {
        api, path, body, ..
    }: Ask<JobPath, Nothing, JsonBody<RetryBody>>,
) -> Result<Started, Error> {
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
    let job = assignment.record.id;
    catalog::submit(&[assignment], api.ledger(), broker.as_ref()).await?;
    Ok(Started { job })
}
