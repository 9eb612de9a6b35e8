//! Workers, as far as this process knows.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName, WorkerId};
use drover_shared::queue::{Link, Queue};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

use crate::routing::api::{Api, Reach};
use crate::routing::error::Error;
use crate::routing::route::Ask;
use drover_core::coordinator::Snapshot;

/// How long the broker may take to tell who is connected.
const PATIENCE: Duration = Duration::from_secs(3);

/// Workers, as far as this process knows.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Workers {
    /// Workers that run datums of the jobs that this process coordinates.
    workers: Vec<Worker>,
    /// For each pipeline how many workers are connected to its queue; those alone about which the broker can be asked.
    consumers: BTreeMap<String, u32>,
}

/// A worker.
#[derive(JsonSchema, Serialize)]
struct Worker {
    #[serde(rename = "worker")]
    id: WorkerId,
    pipeline: PipelineName,
    /// What it runs, the oldest first.
    running: Vec<At>,
    /// When it last began a datum, as far as it is known.
    #[schemars(with = "String", extend("format" = "date-time"))]
    last_seen: Timestamp,
}

/// A datum that a worker is at.
#[derive(JsonSchema, Serialize)]
struct At {
    job: JobId,
    /// The datum's place in the job.
    index: u64,
    /// Which attempt, counted from 1.
    attempt: u32,
    /// Since when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    since: Timestamp,
}

pub(crate) async fn list(Ask { api, .. }: Ask) -> Result<Workers, Error> {
    Ok(Workers {
        workers: at_work(&api.coordinated()),
        consumers: consumers(&api).await?,
    })
}

/// Who runs what, by worker.
fn at_work(jobs: &[Snapshot]) -> Vec<Worker> {
    let mut workers: BTreeMap<(&WorkerId, &PipelineName), Vec<At>> = BTreeMap::new();
    for job in jobs {
        for running in &job.running {
            let worker = (&running.worker, &job.record.pipeline);
            workers.entry(worker).or_default().push(At {
                job: job.record.id,
                index: running.index,
                attempt: running.attempt,
                since: running.since,
            });
        }
    }
    let known = workers
        .into_iter()
        .map(|((worker, pipeline), mut running)| {
            running.sort_by_key(|at| at.since);
            Worker {
                id: worker.clone(),
                pipeline: pipeline.clone(),
                last_seen: running.last().map_or(Timestamp::UNIX_EPOCH, |at| at.since),
                running,
            }
        });
    known.collect()
}

/// How many workers each pipeline has that is registered, or has a job here.
async fn consumers(api: &Api) -> Result<BTreeMap<String, u32>, Error> {
    let mut consumers = BTreeMap::new();
    let Some(broker) = api.reach().get().filter(|_| api.reach().link() == Link::Up) else {
        return Ok(consumers);
    };
    let registered = api.ledger().registered_pipelines().await?;
    let mut names: Vec<PipelineName> = registered.into_iter().map(|(name, _)| name).collect();
    let coordinated = api.coordinated();
    names.extend(coordinated.into_iter().map(|job| job.record.pipeline));
    // A service without a broker works itself, as soon as there is a job.
    let least = u32::from(matches!(api.reach(), Reach::Embedded(_)));
    let asking = async {
        for name in names {
            if broker.declare(&name).await.is_err() {
                continue;
            }
            if let Ok(depth) = broker.depth(&Queue::Datums(name.clone())).await {
                consumers.insert(name.to_string(), depth.consumers.max(least));
            }
        }
    };
    // What is known by then is told.
    let _ = timeout(PATIENCE, asking).await;
    Ok(consumers)
}

#[cfg(test)]
mod tests {
    use drover_shared::job::JobRecord;

    use super::*;
    use drover_core::coordinator::RunningDatum;

    #[test]
    fn what_runs_is_told_by_worker_the_oldest_first() {
        let id = JobId::generate();
        let record = JobRecord::new(id, "made".parse().unwrap(), Timestamp::UNIX_EPOCH);
        let at = |index, worker: &str, second| RunningDatum {
            index,
            attempt: 1,
            worker: worker.parse().unwrap(),
            since: Timestamp::from_second(second).unwrap(),
        };
        let mut job = Snapshot::new(record);
        job.running = vec![at(4, "b", 40), at(1, "a", 10), at(2, "b", 20)];
        let workers = at_work(&[job]);
        let told: Vec<_> = workers
            .iter()
            .map(|worker| {
                let running = worker.running.iter().map(|at| at.index);
                (
                    worker.id.as_str(),
                    running.collect::<Vec<_>>(),
                    worker.last_seen.as_second(),
                )
            })
            .collect();
        assert_eq!(told, [("a", vec![1], 10), ("b", vec![2, 4], 40)]);
    }
}
