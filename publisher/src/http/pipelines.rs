//! Standing pipelines, as they stand.

use std::collections::HashMap;

use drover_shared::id::PipelineName;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Standing;
use drover_shared::pipeline::{self, Input};
use drover_shared::store::StoreError;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Error;
use super::jobs::READS_AT_ONCE;
use super::route::Ask;
use super::scan::Patience;
use super::state::Api;

/// A pipeline in the path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct PipelinePath {
    /// The pipeline.
    pub(super) name: PipelineName,
}

/// All standing pipelines, sorted by name.
#[derive(JsonSchema, Serialize)]
pub(super) struct Pipelines {
    pipelines: Vec<Pipeline>,
}

/// A standing pipeline.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Pipeline {
    #[serde(rename = "pipeline")]
    name: PipelineName,
    /// Free text.
    description: String,
    pub(super) state: PipelineState,
    /// Why it waits.
    why: Option<String>,
    /// When it was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created: Timestamp,
    /// When it was last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated: Timestamp,
    /// How many changes there were.
    revision: u64,
    /// Whether it starts no jobs at the moment.
    paused: bool,
    pub(super) inputs: Vec<PipelineInput>,
    /// The pipelines that read its output.
    outputs_to: Vec<PipelineName>,
    /// Its newest job, if there is one among the newest of all.
    last_job: Option<JobRecord>,
    /// Its jobs on the broker that have not ended, oldest first.
    open_jobs: Vec<JobRecord>,
}

/// What a standing pipeline is doing.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PipelineState {
    /// All that its inputs hold is done.
    Idle,
    /// A job is at work.
    Running,
    /// It starts no jobs until it is resumed.
    Paused,
    /// It cannot start; `why` says why.
    Waiting,
}

/// An input of a standing pipeline.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct PipelineInput {
    /// The directory below `/pfs`.
    pub(super) name: String,
    /// The folder of the store.
    pub(super) repo: String,
    /// Which files or directories of it are datums.
    glob: String,
    pub(super) kind: InputKind,
    /// The standing pipeline that writes the folder.
    pub(super) from: Option<PipelineName>,
    /// When the clock ticks, for a cron input.
    schedule: Option<String>,
}

/// What an input is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum InputKind {
    /// Files of a folder.
    Pfs,
    /// Ticks of a clock.
    Cron,
}

impl Pipeline {
    pub(super) fn name(&self) -> &PipelineName {
        &self.name
    }
}

/// What a standing pipeline is doing, and why it does nothing, from its jobs that have not ended and what keeps it from
/// starting one.
fn state(
    standing: &Standing,
    open: &[JobRecord],
    why_not: Option<String>,
) -> (PipelineState, Option<String>) {
    let has_begun = |job: &JobRecord| job.state != JobState::Starting;
    if standing.paused {
        (PipelineState::Paused, None)
    } else if open.iter().any(has_begun) {
        (PipelineState::Running, None)
    } else if let Some(why) = why_not {
        (PipelineState::Waiting, Some(why))
    } else if let Some(job) = open.first() {
        let why = format!("its job {} is yet to begin", job.id);
        (PipelineState::Waiting, Some(why))
    } else {
        (PipelineState::Idle, None)
    }
}

/// All standing pipelines, sorted by name.
pub(super) async fn all(api: &Api) -> Result<Vec<Pipeline>, StoreError> {
    let standing = api.ledger().all_standing().await?;
    let names: Vec<PipelineName> = standing.iter().map(|(name, _)| name.clone()).collect();
    let mut newest = newest(api, &names).await?;
    let mut read_by: HashMap<PipelineName, Vec<PipelineName>> = HashMap::new();
    let mut all = Vec::with_capacity(standing.len());
    for (name, standing) in standing {
        let last_job = newest.remove(&name);
        let open_jobs = open_jobs(api, &name).await?;
        let pipeline = one(api, name, &standing, &names, last_job, open_jobs);
        for from in pipeline
            .inputs
            .iter()
            .filter_map(|input| input.from.clone())
        {
            let readers = read_by.entry(from).or_default();
            if !readers.contains(&pipeline.name) {
                readers.push(pipeline.name.clone());
            }
        }
        all.push(pipeline);
    }
    for pipeline in &mut all {
        pipeline.outputs_to = read_by.remove(&pipeline.name).unwrap_or_default();
    }
    Ok(all)
}

fn one(
    api: &Api,
    name: PipelineName,
    standing: &Standing,
    names: &[PipelineName],
    last_job: Option<JobRecord>,
    open_jobs: Vec<JobRecord>,
) -> Pipeline {
    let (state, why) = state(standing, &open_jobs, api.why_not(&name));
    let meant = pipeline::from_value(&standing.spec).ok();
    Pipeline {
        state,
        why,
        created: standing.created,
        updated: standing.updated,
        revision: standing.revision,
        paused: standing.paused,
        inputs: meant
            .as_ref()
            .map(|meant| inputs(&meant.input, names))
            .unwrap_or_default(),
        description: meant.map(|meant| meant.description).unwrap_or_default(),
        name,
        outputs_to: Vec::new(),
        last_job,
        open_jobs,
    }
}

fn inputs(input: &Input, names: &[PipelineName]) -> Vec<PipelineInput> {
    let clocks = input.clocks();
    let one = |leaf: &drover_shared::pipeline::PfsInput| {
        let clock = clocks.iter().find(|clock| clock.ticks.leaf == leaf.leaf);
        let is_here = leaf.url.is_none() && clock.is_none();
        let writer = names
            .iter()
            .find(|name| is_here && name.as_str() == leaf.repo);
        PipelineInput {
            name: leaf.name.clone(),
            repo: leaf.repo.clone(),
            glob: leaf.glob.to_string(),
            kind: clock.map_or(InputKind::Pfs, |_| InputKind::Cron),
            from: writer.cloned(),
            schedule: clock.map(|clock| clock.schedule.as_str().to_owned()),
        }
    };
    input.leaves().into_iter().map(one).collect()
}

async fn open_jobs(api: &Api, name: &PipelineName) -> Result<Vec<JobRecord>, StoreError> {
    let submitted = api.ledger().submitted(name).await?;
    let fresh = |record: JobRecord| api.live(record.id).map_or(record, |live| live.record);
    Ok(submitted
        .into_iter()
        .map(|(record, _)| fresh(record))
        .collect())
}

/// The newest job of each of these pipelines, as far back as there is time to look.
async fn newest(
    api: &Api,
    names: &[PipelineName],
) -> Result<HashMap<PipelineName, JobRecord>, StoreError> {
    let patience = Patience::begin();
    let mut newest = HashMap::new();
    if names.is_empty() {
        return Ok(newest);
    }
    let ids = api.ledger().jobs().await?;
    let read = ids.into_iter().rev().map(|id| api.readable(id));
    let mut records = stream::iter(read).buffered(READS_AT_ONCE);
    while let Some(record) = records.next().await {
        if let Some(record) = record?
            && names.contains(&record.pipeline)
        {
            newest.entry(record.pipeline.clone()).or_insert(record);
        }
        if newest.len() == names.len() || patience.is_over() {
            break;
        }
    }
    Ok(newest)
}

pub(super) async fn list(Ask { api, .. }: Ask) -> Result<Pipelines, Error> {
    Ok(Pipelines {
        pipelines: all(&api).await?,
    })
}

/// A standing pipeline, and what it does.
#[derive(JsonSchema, Serialize)]
pub(super) struct PipelineDetails {
    #[serde(flatten)]
    pipeline: Pipeline,
    /// Its spec, normalised.
    spec: Value,
}

pub(super) async fn show(
    Ask { api, path, .. }: Ask<PipelinePath>,
) -> Result<PipelineDetails, Error> {
    let standing = api.ledger().standing(&path.name).await?;
    let standing = standing.ok_or_else(|| unknown(&path.name))?;
    Ok(PipelineDetails {
        pipeline: named(&api, &path.name).await?,
        spec: standing.spec,
    })
}

/// A standing pipeline that somebody named.
pub(super) async fn named(api: &Api, name: &PipelineName) -> Result<Pipeline, Error> {
    let mut all = all(api).await?.into_iter();
    all.find(|pipeline| pipeline.name == *name)
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &PipelineName) -> Error {
    Error::not_found(format!(
        "there is no standing pipeline {name}; GET /api/v1/pipelines lists them"
    ))
}

#[cfg(test)]
mod tests {
    use drover_shared::id::JobId;

    use super::*;

    #[test]
    fn what_a_pipeline_is_doing_follows_from_its_jobs() {
        let standing = |paused| Standing {
            revision: 1,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            paused,
            spec: Value::Null,
            wanted: 0,
        };
        let job = |state| {
            let name = "made".parse().unwrap();
            let record = JobRecord::new(JobId::generate(), name, Timestamp::UNIX_EPOCH);
            JobRecord { state, ..record }
        };
        let (starting, running) = (job(JobState::Starting), job(JobState::Publishing));
        let why = || Some("reads in, which does not exist yet".to_owned());
        let rows = [
            (true, vec![running.clone()], why(), PipelineState::Paused),
            (
                false,
                vec![starting.clone(), running],
                why(),
                PipelineState::Running,
            ),
            (false, vec![], why(), PipelineState::Waiting),
            (false, vec![starting], None, PipelineState::Waiting),
            (false, vec![], None, PipelineState::Idle),
        ];
        for (paused, open, why_not, expected) in rows {
            let (state, why) = state(&standing(paused), &open, why_not);
            assert_eq!(state, expected);
            assert_eq!(why.is_some(), expected == PipelineState::Waiting, "{why:?}");
        }
    }
}
