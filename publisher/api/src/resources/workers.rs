//! Workers known to the process.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName, WorkerId};
use drover_shared::queue::Queue;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

use crate::routing::api::Api;
use crate::routing::broker::BrokerHandle;
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;
use drover_core::catalog::{self, Fleet};
use drover_core::coordinator::Snapshot;

/// Timeout for questions to the broker.
const BROKER_TIMEOUT: Duration = Duration::from_secs(3);

/// Workers known to the process.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Workers {
    /// Workers with running datums of the process's jobs.
    workers: Vec<Worker>,
    /// Workers connected to the queue of each pipeline; only pipelines about which the broker answers.
    consumers: BTreeMap<String, u32>,
}

/// A worker.
#[derive(JsonSchema, Serialize)]
struct Worker {
    #[serde(rename = "worker")]
    id: WorkerId,
    pipeline: PipelineName,
    /// Running datums, oldest first.
    running: Vec<WorkerDatum>,
    /// Begin of the newest running datum.
    #[schemars(with = "String", extend("format" = "date-time"))]
    last_seen: Timestamp,
}

/// A running datum.
#[derive(JsonSchema, Serialize)]
struct WorkerDatum {
    job: JobId,
    /// Index in the job.
    index: u64,
    /// Number of the attempt, counted from 1.
    attempt: u32,
    /// Start of the attempt.
    #[schemars(with = "String", extend("format" = "date-time"))]
    since: Timestamp,
}

pub(crate) async fn list(ApiRequest { api, .. }: ApiRequest) -> Result<Workers, Error> {
    Ok(Workers {
        workers: running_by_worker(&api.coordinated()),
        consumers: consumers(&api).await?,
    })
}

/// The workers of the store and the served pipelines.
pub(crate) async fn fleet(ApiRequest { api, .. }: ApiRequest) -> Result<Fleet, Error> {
    let broker = api.broker_handle().reachable();
    Ok(catalog::fleet(api.ledger(), broker.map(AsRef::as_ref)).await?)
}

/// Running datums by worker.
fn running_by_worker(jobs: &[Snapshot]) -> Vec<Worker> {
    let mut workers: BTreeMap<(&WorkerId, &PipelineName), Vec<WorkerDatum>> = BTreeMap::new();
    for job in jobs {
        for running in &job.running {
            let worker = (&running.worker, &job.record.pipeline);
            workers.entry(worker).or_default().push(WorkerDatum {
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

/// Number of connected workers of each registered pipeline and each pipeline with a job here.
async fn consumers(api: &Api) -> Result<BTreeMap<String, u32>, Error> {
    let mut consumers = BTreeMap::new();
    let Some(broker) = api.broker_handle().reachable() else {
        return Ok(consumers);
    };
    let registered = api.ledger().registered_pipelines().await?;
    let mut names: Vec<PipelineName> = registered.into_iter().map(|(name, _)| name).collect();
    let coordinated = api.coordinated();
    names.extend(coordinated.into_iter().map(|job| job.record.pipeline));
    // A service without a broker runs datums itself.
    let least = u32::from(matches!(api.broker_handle(), BrokerHandle::Embedded(_)));
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
    // After the timeout, the answers so far are returned.
    let _ = timeout(BROKER_TIMEOUT, asking).await;
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
        let workers = running_by_worker(&[job]);
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
