//! The workers of a store and the served pipelines.

use std::collections::BTreeSet;
use std::time::Duration;

use drover_shared::id::{PipelineName, WorkerId};
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, WorkerCapacity};
use drover_shared::pipeline::{self, Limit, Sharing};
use drover_shared::queue::{Broker, QueueError};
use drover_shared::store::StoreError;
use drover_shared::wire::{Control, Message, encode};
use futures::{StreamExt, future, stream};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

use super::submit::confirmed;
use super::{newest_job, obstacle, record};

/// Time limit of a question whether a worker lives.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// Questions under way at the same time.
const ASKED_TOGETHER: usize = 16;

/// The workers of a store, and the pipelines with work for them.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Fleet {
    /// The workers known to the broker; without a broker, all with a record.
    pub workers: Vec<FleetWorker>,
    /// The pipelines that have an open job or are served, by name.
    pub pipelines: Vec<FleetPipeline>,
}

/// A worker of the fleet.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct FleetWorker {
    /// The worker.
    pub worker: WorkerId,
    /// Datums that run at the same time; 0 for a worker of an older version.
    pub slots: u16,
    /// Memory that all commands may use together, in bytes.
    pub memory_bytes: u64,
    /// The pipelines taken by the worker as pipelines come: names and patterns.
    pub takes: String,
    /// The pipelines served at the moment.
    pub serves: Vec<PipelineName>,
}

/// A pipeline that shares the fleet.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct FleetPipeline {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Priority and share in force.
    #[serde(flatten)]
    pub sharing: Sharing,
    /// True if priority or share was changed since the spec.
    pub is_changed: bool,
    /// The limits of the pipeline, as in the spec.
    pub limits: Vec<String>,
    /// Workers of the pipeline.
    pub workers: usize,
    /// Datums of the open job without a result.
    pub outstanding: u64,
    /// Why the job stands still, as far as known.
    pub why: Option<String>,
}

/// Looks at the fleet. `broker` is none if no broker is named or reachable.
pub async fn fleet(ledger: &Ledger, broker: Option<&dyn Broker>) -> Result<Fleet, StoreError> {
    let workers = stream::iter(ledger.all_capacities().await?)
        .map(|capacity| async move {
            let lives = lives(&capacity.worker, broker).await;
            lives.then(|| FleetWorker::from(capacity))
        })
        .buffered(ASKED_TOGETHER)
        .filter_map(future::ready)
        .collect::<Vec<_>>()
        .await;
    let served: BTreeSet<PipelineName> = workers
        .iter()
        .flat_map(|worker| worker.serves.iter().cloned())
        .collect();
    let mut names = served.clone();
    names.extend(ledger.pipelines().await?);
    let mut pipelines = Vec::new();
    for name in names {
        let job = open_job(&name, ledger).await?;
        if job.is_some() || served.contains(&name) {
            pipelines.push(look(name, job, &workers, ledger, broker).await?);
        }
    }
    Ok(Fleet { workers, pipelines })
}

/// A killed worker leaves its note. Without an answer the worker is shown.
async fn lives(worker: &WorkerId, broker: Option<&dyn Broker>) -> bool {
    let Some(broker) = broker else { return true };
    let asking = broker.is_listening(worker.as_str());
    !matches!(timeout(LOOK_LIMIT, asking).await, Ok(Ok(false)))
}

impl From<WorkerCapacity> for FleetWorker {
    fn from(capacity: WorkerCapacity) -> Self {
        Self {
            worker: capacity.worker,
            slots: capacity.slots,
            memory_bytes: capacity.memory_bytes,
            takes: capacity.takes,
            serves: capacity.pipelines,
        }
    }
}

async fn look(
    pipeline: PipelineName,
    job: Option<JobRecord>,
    workers: &[FleetWorker],
    ledger: &Ledger,
    broker: Option<&dyn Broker>,
) -> Result<FleetPipeline, StoreError> {
    let spec = spec_of(&pipeline, job.as_ref(), ledger).await?;
    let (of_spec, limits) = spec.unwrap_or_default();
    let changed = ledger.changed_sharing(&pipeline).await?;
    let why = match &job {
        None => None,
        Some(job) => {
            let submission = ledger.submission(job.id).await?;
            obstacle(ledger, broker, job, submission.as_ref()).await?
        }
    };
    let serving = workers
        .iter()
        .filter(|worker| worker.serves.contains(&pipeline));
    Ok(FleetPipeline {
        sharing: changed.unwrap_or(of_spec),
        is_changed: changed.is_some(),
        limits: limits.iter().map(shown).collect(),
        workers: serving.count(),
        outstanding: job.map_or(0, |job| job.datums.outstanding()),
        why,
        pipeline,
    })
}

fn shown(limit: &Limit) -> String {
    match limit {
        Limit::Running(most) => format!("running: {most}"),
        Limit::Rate(rate) => format!("rate: {rate}"),
        Limit::Named(name) => format!("use: {name}"),
    }
}

/// The oldest job of a pipeline that has not ended.
async fn open_job(
    pipeline: &PipelineName,
    ledger: &Ledger,
) -> Result<Option<JobRecord>, StoreError> {
    for job in ledger.unfolded(pipeline).await? {
        match record(ledger, job).await {
            Ok(job) if !job.state.is_final() => return Ok(Some(job)),
            Ok(_) | Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Sharing and limits of a pipeline by the spec of the open `job`, else of the registration, else of the last job; none for a
/// pipeline that the store does not know. A spec that is not valid here counts as empty.
async fn spec_of(
    pipeline: &PipelineName,
    job: Option<&JobRecord>,
    ledger: &Ledger,
) -> Result<Option<(Sharing, Vec<Limit>)>, StoreError> {
    let spec = match job {
        Some(job) => ledger.spec(job.id).await?,
        None => match ledger.registered(pipeline).await? {
            Some(registered) => registered.spec,
            None => match newest_job(ledger, pipeline).await? {
                Some(job) => ledger.spec(job.id).await?,
                None => return Ok(None),
            },
        },
    };
    let parsed = pipeline::from_value(&spec);
    Ok(Some(parsed.map_or_else(
        |_| Default::default(),
        |spec| (spec.sharing, spec.limits),
    )))
}

/// Priority and share of a pipeline: in force, and by the spec. None for a pipeline that the store does not know.
pub async fn sharing_of(
    ledger: &Ledger,
    pipeline: &PipelineName,
) -> Result<Option<(Sharing, Sharing)>, StoreError> {
    let job = open_job(pipeline, ledger).await?;
    let Some((of_spec, _)) = spec_of(pipeline, job.as_ref(), ledger).await? else {
        return Ok(None);
    };
    let changed = ledger.changed_sharing(pipeline).await?;
    Ok(Some((changed.unwrap_or(of_spec), of_spec)))
}

/// Changes priority and share of a pipeline, or takes the change back, and tells the workers. A worker that is not told finds the
/// change in the store some seconds later.
pub async fn change_sharing(
    ledger: &Ledger,
    broker: Option<&dyn Broker>,
    pipeline: &PipelineName,
    sharing: Option<Sharing>,
) -> Result<Result<(), QueueError>, StoreError> {
    ledger.change_sharing(pipeline, sharing).await?;
    let hint = Message::Control(Control::Shared {
        pipeline: pipeline.clone(),
    });
    // The message has a bounded size, so encoding cannot fail.
    let (Some(broker), Ok(hint)) = (broker, encode(&hint)) else {
        return Ok(Ok(()));
    };
    Ok(confirmed(broker.broadcast(hint)).await)
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline::Priority;

    use super::*;
    use crate::coordinator::Scope;
    use crate::testing::fixture::Fixture;

    #[tokio::test]
    async fn a_fleet_tells_who_serves_what_and_with_which_weights() {
        let fixture = Fixture::new(1).await;
        let ledger = &fixture.ledger;
        let out: PipelineName = "out".parse().unwrap();
        assert_eq!(sharing_of(ledger, &out).await.unwrap(), None);
        let assignment = fixture.assignment(Scope::Everything);
        let opening = ledger.open_job(&assignment.record, &assignment.spec);
        opening.await.unwrap();
        let capacity = WorkerCapacity {
            worker: "w-1".parse().unwrap(),
            pipelines: vec![out.clone()],
            memory_bytes: 8,
            noted: None,
            ran_out_of_memory: false,
            slots: 2,
            takes: "*".to_owned(),
        };
        ledger.note_capacity(&capacity).await.unwrap();
        let urgent = Sharing {
            priority: Priority::High,
            ..Sharing::default()
        };
        let told = change_sharing(ledger, None, &out, Some(urgent))
            .await
            .unwrap();
        told.unwrap();
        let seen = fleet(ledger, None).await.unwrap();
        assert_eq!(seen.workers[0].serves, std::slice::from_ref(&out));
        let shared = &seen.pipelines[0];
        assert_eq!(
            (shared.sharing, shared.is_changed, shared.workers),
            (urgent, true, 1)
        );
        let counts = sharing_of(ledger, &out).await.unwrap();
        assert_eq!(counts, Some((urgent, Sharing::default())));
    }
}
