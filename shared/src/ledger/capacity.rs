//! The capacity of each worker, read by a worker that meets too large a datum. A record outlives a killed worker.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{PipelineName, WorkerId};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// The capacity of a worker.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WorkerCapacity {
    /// The worker.
    pub worker: WorkerId,
    /// The pipelines whose datums the worker takes.
    pub pipelines: Vec<PipelineName>,
    /// Memory that all commands may use together, in bytes.
    pub memory_bytes: u64,
    /// When the worker noted it; none of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noted: Option<Timestamp>,
    /// True if the worker was killed together with its command for want of memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ran_out_of_memory: bool,
    /// Datums that run at the same time; 0 in records of older versions.
    #[serde(default)]
    pub slots: u16,
    /// Pipelines that the worker takes as they come, as told at its start: `map, thumbs-*`. Empty in records of older versions.
    #[serde(default)]
    pub takes: String,
}

impl Ledger {
    /// Tells the capacity of a worker.
    pub async fn note_capacity(&self, capacity: &WorkerCapacity) -> Result<(), StoreError> {
        let key = layout::capacity(&capacity.worker);
        self.store.put(&key, to_json(&key, capacity)?).await
    }

    /// The capacity of a live or killed worker; none of a worker that ended by itself, and of a damaged record.
    pub async fn capacity(&self, worker: &WorkerId) -> Result<Option<WorkerCapacity>, StoreError> {
        let key = layout::capacity(worker);
        match self.read_optional(&key, advice::DETAIL).await {
            Err(StoreError::Corrupt { .. }) => Ok(None),
            read => read,
        }
    }

    /// Notes which workers of the pipeline were killed for want of memory: a worker that noted a capacity while one of the
    /// `killed` containers ran, each given by the host and the time of the run.
    pub async fn note_out_of_memory(
        &self,
        pipeline: &PipelineName,
        killed: &[(String, RangeInclusive<Timestamp>)],
    ) -> Result<(), StoreError> {
        if killed.is_empty() {
            return Ok(());
        }
        for capacity in self.capacities(pipeline).await? {
            let Some(noted) = capacity.noted else {
                continue;
            };
            let host = capacity.worker.host();
            let is_killed = killed
                .iter()
                .any(|(name, ran)| name == host && ran.contains(&noted));
            if is_killed && !capacity.ran_out_of_memory {
                let capacity = WorkerCapacity {
                    ran_out_of_memory: true,
                    ..capacity
                };
                self.note_capacity(&capacity).await?;
            }
        }
        Ok(())
    }

    /// Forgets a worker that has ended.
    pub async fn forget_capacity(&self, worker: &WorkerId) -> Result<(), StoreError> {
        self.store.delete(&layout::capacity(worker)).await
    }

    /// The capacities of the workers of a pipeline, killed workers included; the largest first. Damaged records count as none.
    pub async fn capacities(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Vec<WorkerCapacity>, StoreError> {
        let mut found = self.all_capacities().await?;
        found.retain(|capacity| capacity.pipelines.contains(pipeline));
        found.sort_by_key(|capacity| std::cmp::Reverse(capacity.memory_bytes));
        Ok(found)
    }

    /// The capacities of all workers, killed workers included, by name. Damaged records count as none.
    pub async fn all_capacities(&self) -> Result<Vec<WorkerCapacity>, StoreError> {
        let folder = layout::capacities();
        let mut found = Vec::new();
        for name in self.store.names(&folder).await? {
            match self.read(&folder.join(&name)?, advice::DETAIL).await {
                Ok(capacity) => found.push(capacity),
                Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn the_largest_worker_of_a_pipeline_comes_first() {
        let ledger = Ledger::new(Store::in_memory());
        let capacity = |worker: &str, pipeline: &str, memory_bytes| WorkerCapacity {
            worker: worker.parse().unwrap(),
            pipelines: vec![pipeline.parse().unwrap()],
            memory_bytes,
            noted: None,
            ran_out_of_memory: false,
            slots: 2,
            takes: pipeline.to_owned(),
        };
        let (small, large) = (capacity("a-1", "p", 5), capacity("b-1", "p", 9));
        for each in [&small, &large, &capacity("c-1", "q", 99)] {
            ledger.note_capacity(each).await.unwrap();
        }
        let damaged = layout::capacity(&"d-1".parse().unwrap());
        ledger.store.put(&damaged, "{".into()).await.unwrap();
        let pipeline = "p".parse().unwrap();
        let all = ledger.capacities(&pipeline).await.unwrap();
        assert_eq!(all, [large.clone(), small.clone()]);
        ledger.forget_capacity(&large.worker).await.unwrap();
        assert_eq!(ledger.capacities(&pipeline).await.unwrap(), [small]);
    }

    #[tokio::test]
    async fn only_the_worker_that_ran_in_the_killed_container_ran_out_of_memory() {
        let ledger = Ledger::new(Store::in_memory());
        let pipeline: PipelineName = "p".parse().unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let worker = |worker: &str, noted| WorkerCapacity {
            worker: worker.parse().unwrap(),
            pipelines: vec![pipeline.clone()],
            memory_bytes: 5,
            noted: Some(at(noted)),
            ran_out_of_memory: false,
            slots: 2,
            takes: String::new(),
        };
        let workers = [
            worker("pod-1-0123456789", 10),
            worker("pod-1-abcdefghij", 30),
            worker("pod-2-0123456789", 11),
        ];
        for worker in &workers {
            ledger.note_capacity(worker).await.unwrap();
        }
        let killed = [("pod-1".to_owned(), at(9)..=at(29))];
        ledger.note_out_of_memory(&pipeline, &killed).await.unwrap();
        let mut found = Vec::new();
        for worker in &workers {
            let capacity = ledger.capacity(&worker.worker).await.unwrap().unwrap();
            found.push(capacity.ran_out_of_memory);
        }
        assert_eq!(found, [true, false, false]);
        let gone = "pod-3-0123456789".parse().unwrap();
        assert_eq!(ledger.capacity(&gone).await.unwrap(), None);
    }
}
