//! A standing pipeline as people and scripts see it.

use std::collections::BTreeMap;

use drover_shared::id::PipelineName;
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, Standing};
use drover_shared::pipeline::{self, Input, Pipeline};
use drover_shared::store::StoreError;
use jiff::Timestamp;
use serde::Serialize;

use super::Waiting;

/// Jobs that are looked at to find the newest one of each pipeline, at most.
const MOST_JOBS: usize = 1000;

/// A standing pipeline; its JSON is a contract (`docs/cli.md`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// Its name.
    pub pipeline: PipelineName,
    /// Free text.
    pub description: String,
    /// What it does.
    pub state: PipelineState,
    /// Why it starts no job, where this process knows.
    pub why: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// How many changes there were.
    pub revision: u64,
    /// Whether it starts no jobs at the moment.
    pub paused: bool,
    /// What it reads.
    pub inputs: Vec<InputOverview>,
    /// The standing pipelines that read its output.
    pub outputs_to: Vec<PipelineName>,
    /// Its newest job.
    pub last_job: Option<JobRecord>,
    /// Its jobs that have not ended, oldest first.
    pub open_jobs: Vec<JobRecord>,
}

/// What a standing pipeline does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineState {
    /// A job of it runs or waits its turn.
    Running,
    /// It starts no jobs until it is resumed.
    Paused,
    /// It cannot start a job, for some reason.
    Waiting,
    /// All its inputs have been seen to.
    Idle,
}

/// A leaf of a pipeline's inputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputOverview {
    /// The directory below `/pfs`.
    pub name: String,
    /// The folder of the store.
    pub repo: String,
    /// Which files or directories are datums.
    pub glob: String,
    /// `pfs` or `cron`.
    pub kind: &'static str,
    /// The standing pipeline that writes the folder.
    pub from: Option<PipelineName>,
    /// When the clock ticks.
    pub schedule: Option<String>,
}

/// All standing pipelines, sorted by name.
pub async fn overview(ledger: &Ledger, waiting: &Waiting) -> Result<Vec<Overview>, StoreError> {
    let all = ledger.all_standing().await?;
    let mut newest = newest_jobs(ledger, &all).await?;
    let mut overviews = Vec::new();
    for (name, standing) in &all {
        let open = ledger.submitted(name).await?;
        let open = open.into_iter().map(|(record, _)| record).collect();
        let why = waiting.why(name).filter(|_| !standing.paused);
        overviews.push(describe(
            name,
            standing,
            &all,
            newest.remove(name),
            open,
            why,
        ));
    }
    Ok(overviews)
}

async fn newest_jobs(
    ledger: &Ledger,
    all: &[(PipelineName, Standing)],
) -> Result<BTreeMap<PipelineName, JobRecord>, StoreError> {
    let mut newest = BTreeMap::new();
    for id in ledger.jobs().await?.into_iter().rev().take(MOST_JOBS) {
        if newest.len() == all.len() {
            break;
        }
        match ledger.job(id).await {
            Ok(record) if all.iter().any(|(name, _)| *name == record.pipeline) => {
                newest.entry(record.pipeline.clone()).or_insert(record);
            }
            // One that is just being made, or damaged, is not the last word.
            Ok(_) | Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(newest)
}

/// Pure: what is to be seen of a pipeline.
fn describe(
    name: &PipelineName,
    standing: &Standing,
    all: &[(PipelineName, Standing)],
    last_job: Option<JobRecord>,
    open_jobs: Vec<JobRecord>,
    why: Option<String>,
) -> Overview {
    let pipeline = pipeline::from_value(&standing.spec).ok();
    let is_standing = |repo: &str| all.iter().find(|(other, _)| other.as_str() == repo);
    let inputs = pipeline.as_ref().map_or_else(Vec::new, |pipeline| {
        let mut inputs = Vec::new();
        list(&pipeline.input, &mut inputs);
        for input in &mut inputs {
            input.from = is_standing(&input.repo).map(|(writer, _)| writer.clone());
        }
        inputs
    });
    Overview {
        pipeline: name.clone(),
        description: pipeline.map(|it| it.description).unwrap_or_default(),
        state: state(standing.paused, !open_jobs.is_empty(), why.is_some()),
        why,
        created: standing.created,
        updated: standing.updated,
        revision: standing.revision,
        paused: standing.paused,
        inputs,
        outputs_to: readers(name, all),
        last_job,
        open_jobs,
    }
}

fn state(is_paused: bool, has_jobs: bool, is_kept: bool) -> PipelineState {
    match (has_jobs, is_paused, is_kept) {
        (true, ..) => PipelineState::Running,
        (_, true, _) => PipelineState::Paused,
        (_, _, true) => PipelineState::Waiting,
        _ => PipelineState::Idle,
    }
}

fn readers(name: &PipelineName, all: &[(PipelineName, Standing)]) -> Vec<PipelineName> {
    let reads = |standing: &Standing| {
        pipeline::from_value(&standing.spec)
            .is_ok_and(|reader: Pipeline| crate::chain::reads(&reader, name))
    };
    let readers = all.iter().filter(|(_, standing)| reads(standing));
    readers.map(|(reader, _)| reader.clone()).collect()
}

fn list(input: &Input, inputs: &mut Vec<InputOverview>) {
    let (leaf, schedule) = match input {
        Input::Pfs(leaf) => (leaf, None),
        Input::Cron(clock) => (&clock.ticks, Some(clock.schedule.as_str().to_owned())),
        Input::Cross(children)
        | Input::Union(children)
        | Input::Join(children)
        | Input::Group(children) => {
            return children.iter().for_each(|child| list(child, inputs));
        }
    };
    inputs.push(InputOverview {
        name: leaf.name.clone(),
        repo: leaf.url.clone().unwrap_or_else(|| leaf.repo.clone()),
        glob: leaf.glob.to_string(),
        kind: if schedule.is_some() { "cron" } else { "pfs" },
        from: None,
        schedule,
    });
}

#[cfg(test)]
mod tests {
    use drover_shared::ledger::Change;
    use drover_shared::store::Store;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_chain_is_seen_from_both_ends() {
        let ledger = Ledger::new(Store::in_memory());
        for (name, repo) in [("map", "in"), ("reduce", "map")] {
            let spec = json!({"pipeline": {"name": name}, "transform": {"cmd": ["x"]}, "input": {"pfs": {"repo": repo, "glob": "/*"}}});
            let name = name.parse().unwrap();
            ledger
                .change_standing(&name, &Change::Create(spec))
                .await
                .unwrap();
        }
        let seen = overview(&ledger, &Waiting::default()).await.unwrap();
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
    fn what_a_pipeline_does_is_told_by_what_weighs_most() {
        assert_eq!(state(true, true, true), PipelineState::Running);
        assert_eq!(state(true, false, true), PipelineState::Paused);
        assert_eq!(state(false, false, true), PipelineState::Waiting);
        assert_eq!(state(false, false, false), PipelineState::Idle);
    }
}
