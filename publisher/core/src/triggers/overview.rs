//! Registered pipelines as people and scripts see them.

use std::collections::HashMap;

use drover_shared::id::PipelineName;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::{Ledger, RegisteredPipeline};
use drover_shared::pipeline::{self, Input, PfsInput};
use drover_shared::store::StoreError;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::WaitReasons;
use crate::catalog::newest_job;

/// Concurrent reads of records.
const READS_AT_ONCE: usize = 32;

/// A registered pipeline; its JSON is a contract (`docs/cli.md`).
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Overview")]
pub struct PipelineOverview {
    /// Name.
    pub pipeline: PipelineName,
    /// Free text.
    pub description: String,
    /// State.
    pub state: PipelineState,
    /// Reason for waiting, where the current process knows the reason, or for the failure of the newest job.
    pub why: Option<String>,
    /// Time of creation.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created: Timestamp,
    /// Time of the last change.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub updated: Timestamp,
    /// Number of changes.
    pub revision: u64,
    /// True while the pipeline starts no jobs.
    pub paused: bool,
    /// Inputs.
    pub inputs: Vec<InputOverview>,
    /// The registered pipelines that read its output.
    pub outputs_to: Vec<PipelineName>,
    /// The newest job.
    pub last_job: Option<JobRecord>,
    /// Submitted jobs that have not ended, oldest first.
    pub open_jobs: Vec<JobRecord>,
}

/// State of a registered pipeline.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PipelineState {
    /// All inputs are processed.
    Idle,
    /// The newest job failed or was stopped, and no other one is open; `why` gives the reason.
    Failed,
    /// A job is running.
    Running,
    /// Starts no jobs until resumed.
    Paused,
    /// Cannot start a job; `why` gives the reason.
    Waiting,
}

/// An input of a registered pipeline.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct InputOverview {
    /// The directory below `/pfs`.
    pub name: String,
    /// Folder of the store, or the URL in its place.
    pub repo: String,
    /// The glob that selects datums.
    pub glob: String,
    /// Kind.
    pub kind: InputKind,
    /// The registered pipeline that writes the folder.
    pub from: Option<PipelineName>,
    /// Schedule of a cron input.
    pub schedule: Option<String>,
}

/// Kind of an input.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// Files of a folder.
    Pfs,
    /// Ticks of a clock.
    Cron,
}

/// All registered pipelines, sorted by name. `waiting` and `fresh` add state of the current process: reasons for starting no
/// job, and the progress of jobs.
pub async fn overview(
    ledger: &Ledger,
    waiting: &WaitReasons,
    fresh: impl Fn(JobRecord) -> JobRecord,
) -> Result<Vec<PipelineOverview>, StoreError> {
    let registered = ledger.registered_pipelines().await?;
    let names: Vec<PipelineName> = registered.iter().map(|(name, _)| name.clone()).collect();
    let mut newest = newest(ledger, &names).await?;
    let mut all = Vec::with_capacity(registered.len());
    for (name, registered) in registered {
        let submitted = ledger.submitted(&name).await?.into_iter();
        let open_jobs = submitted.map(|(record, _)| fresh(record)).collect();
        let last_job = newest.remove(&name).map(&fresh);
        let why_not = waiting.why(&name);
        all.push(one(name, &registered, &names, last_job, open_jobs, why_not));
    }
    tell_of_readers(&mut all);
    Ok(all)
}

fn one(
    name: PipelineName,
    registered: &RegisteredPipeline,
    names: &[PipelineName],
    last_job: Option<JobRecord>,
    open_jobs: Vec<JobRecord>,
    why_not: Option<String>,
) -> PipelineOverview {
    let (state, why) = state(registered, &open_jobs, last_job.as_ref(), why_not);
    let meant = pipeline::from_value(&registered.spec).ok();
    PipelineOverview {
        state,
        why,
        created: registered.created,
        updated: registered.updated,
        revision: registered.revision,
        paused: registered.paused,
        inputs: meant
            .as_ref()
            .map(|meant| inputs(&meant.input, names))
            .unwrap_or_default(),
        description: meant.map(|meant| meant.description).unwrap_or_default(),
        pipeline: name,
        outputs_to: Vec::new(),
        last_job,
        open_jobs,
    }
}

/// The state of a registered pipeline with the reason for it, from its open jobs, its newest job and the watcher's reason
/// for starting none.
fn state(
    registered: &RegisteredPipeline,
    open: &[JobRecord],
    newest: Option<&JobRecord>,
    why_not: Option<String>,
) -> (PipelineState, Option<String>) {
    let has_begun = |job: &JobRecord| job.state != JobState::Starting;
    if registered.paused {
        (PipelineState::Paused, None)
    } else if open.iter().any(has_begun) {
        (PipelineState::Running, None)
    } else if let Some(why) = why_not {
        (PipelineState::Waiting, Some(why))
    } else if let Some(job) = open.first() {
        let why = format!("job {} has not begun yet", job.id);
        (PipelineState::Waiting, Some(why))
    } else if let Some(job) = newest.filter(|job| has_failed(job)) {
        let reason = job.reason.as_deref().unwrap_or("without a reason");
        let why = format!("job {} ended in {}: {reason}", job.id, job.state);
        (PipelineState::Failed, Some(why))
    } else {
        (PipelineState::Idle, None)
    }
}

fn has_failed(job: &JobRecord) -> bool {
    matches!(job.state, JobState::Failure | JobState::Killed)
}

fn inputs(input: &Input, names: &[PipelineName]) -> Vec<InputOverview> {
    let clocks = input.clocks();
    let one = |leaf: &PfsInput| {
        let clock = clocks.iter().find(|clock| clock.ticks.leaf == leaf.leaf);
        let is_here = leaf.url.is_none() && clock.is_none();
        let writer = names
            .iter()
            .find(|name| is_here && name.as_str() == leaf.repo);
        InputOverview {
            name: leaf.name.clone(),
            repo: leaf.url.as_ref().unwrap_or(&leaf.repo).clone(),
            glob: leaf.glob.to_string(),
            kind: clock.map_or(InputKind::Pfs, |_| InputKind::Cron),
            from: writer.cloned(),
            schedule: clock.map(|clock| clock.schedule.as_str().to_owned()),
        }
    };
    input.leaves().into_iter().map(one).collect()
}

/// Fills in the readers of every pipeline's output.
fn tell_of_readers(all: &mut [PipelineOverview]) {
    let mut readers: HashMap<PipelineName, Vec<PipelineName>> = HashMap::new();
    for pipeline in all.iter() {
        for from in pipeline
            .inputs
            .iter()
            .filter_map(|input| input.from.as_ref())
        {
            let readers = readers.entry(from.clone()).or_default();
            if !readers.contains(&pipeline.pipeline) {
                readers.push(pipeline.pipeline.clone());
            }
        }
    }
    for pipeline in all {
        pipeline.outputs_to = readers.remove(&pipeline.pipeline).unwrap_or_default();
    }
}

/// The newest job of each given pipeline.
async fn newest(
    ledger: &Ledger,
    names: &[PipelineName],
) -> Result<HashMap<PipelineName, JobRecord>, StoreError> {
    let looks: Vec<_> = names.iter().map(|name| newest_job(ledger, name)).collect();
    let found: Vec<Option<JobRecord>> = stream::iter(looks)
        .buffered(READS_AT_ONCE)
        .try_collect()
        .await?;
    let found = found.into_iter().flatten();
    Ok(found
        .map(|record| (record.pipeline.clone(), record))
        .collect())
}

#[cfg(test)]
mod tests {
    use drover_shared::id::JobId;
    use drover_shared::ledger::PipelineChange;
    use drover_shared::store::Store;
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_chain_is_seen_from_both_ends() {
        let ledger = Ledger::new(Store::in_memory());
        for (name, repo) in [("map", "in"), ("reduce", "map")] {
            let spec = json!({"pipeline": {"name": name}, "transform": {"cmd": ["x"]}, "input": {"pfs": {"repo": repo, "glob": "/*"}}});
            let name = name.parse().unwrap();
            ledger
                .change_pipeline(&name, &PipelineChange::Create(spec))
                .await
                .unwrap();
        }
        let seen = overview(&ledger, &WaitReasons::default(), |record| record)
            .await
            .unwrap();
        let (map, reduce) = (&seen[0], &seen[1]);
        assert_eq!(map.outputs_to, std::slice::from_ref(&reduce.pipeline));
        assert_eq!(reduce.inputs[0].from.as_ref(), Some(&map.pipeline));
        assert_eq!(map.inputs[0].from, None);
        assert_eq!(
            (map.state, map.last_job.is_none()),
            (PipelineState::Idle, true)
        );
    }

    #[test]
    fn what_a_pipeline_is_doing_follows_from_its_jobs() {
        let registered = |paused| RegisteredPipeline {
            revision: 1,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            paused,
            spec: Value::Null,
            run_requests: 0,
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
            let (state, why) = state(&registered(paused), &open, None, why_not);
            assert_eq!(state, expected);
            assert_eq!(why.is_some(), expected == PipelineState::Waiting, "{why:?}");
        }
        for (last, expected) in [
            (JobState::Success, PipelineState::Idle),
            (JobState::Failure, PipelineState::Failed),
            (JobState::Killed, PipelineState::Failed),
        ] {
            let last = JobRecord {
                reason: Some("disk full".to_owned()),
                ..job(last)
            };
            let seen = |open| state(&registered(false), open, Some(&last), None);
            let (found, why) = seen(&[]);
            assert_eq!(found, expected);
            let is_told = why.is_some_and(|why| why.ends_with("disk full"));
            assert_eq!(is_told, expected == PipelineState::Failed);
            assert_eq!(seen(&[job(JobState::Running)]).0, PipelineState::Running);
        }
    }
}
