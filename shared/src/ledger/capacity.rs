//! The capacity of each worker, read by a worker that meets too large a datum. A record outlives a killed worker.

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
}

impl Ledger {
    /// Tells the capacity of a worker.
    pub async fn note_capacity(&self, capacity: &WorkerCapacity) -> Result<(), StoreError> {
        let key = layout::capacity(&capacity.worker);
        self.store.put(&key, to_json(&key, capacity)?).await
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
        let folder = layout::capacities();
        let mut found = Vec::new();
        for name in self.store.names(&folder).await? {
            match self
                .read::<WorkerCapacity>(&folder.join(&name)?, advice::DETAIL)
                .await
            {
                Ok(capacity) if capacity.pipelines.contains(pipeline) => found.push(capacity),
                Ok(_) | Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by_key(|capacity| std::cmp::Reverse(capacity.memory_bytes));
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
}
