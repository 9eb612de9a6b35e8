//! Notes about idle queues, to be deleted at the broker by a service.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::PipelineName;
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::store::{StoreError, layout};

/// Why the queues of a pipeline may be idle.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdleReason {
    /// The registered pipeline was deleted.
    Deleted,
    /// A worker declared the queues of a pipeline unknown to the store.
    Unknown,
}

/// The note about the queues of one pipeline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IdleQueues {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Why the queues may be idle.
    pub reason: IdleReason,
    /// Time of the note.
    pub since: Timestamp,
}

impl Ledger {
    /// Notes that the queues of a pipeline may be idle; replaces an earlier note.
    pub async fn note_idle_queues(
        &self,
        pipeline: &PipelineName,
        reason: IdleReason,
    ) -> Result<(), StoreError> {
        let key = layout::idle_queues_of(pipeline);
        let note = IdleQueues {
            pipeline: pipeline.clone(),
            reason,
            since: Timestamp::now(),
        };
        self.store.put(&key, to_json(&key, &note)?).await
    }

    /// All notes.
    pub async fn idle_queues(&self) -> Result<Vec<IdleQueues>, StoreError> {
        let mut all = Vec::new();
        for name in self.store.names(&layout::idle_queues()).await? {
            let Some(Ok(pipeline)) = name.strip_suffix(".json").map(str::parse) else {
                continue;
            };
            let key = layout::idle_queues_of(&pipeline);
            all.extend(self.read_optional(&key, advice::IDLE_QUEUES).await?);
        }
        Ok(all)
    }

    /// Removes the note about a pipeline.
    pub async fn forget_idle_queues(&self, pipeline: &PipelineName) -> Result<(), StoreError> {
        self.store.delete(&layout::idle_queues_of(pipeline)).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ledger::PipelineChange;
    use crate::store::Store;

    #[tokio::test]
    async fn a_deleted_pipeline_leaves_a_note_where_a_broker_was_used() {
        let ledger = Ledger::new(Store::in_memory());
        let name: PipelineName = "made".parse().unwrap();
        for expected in [0, 1] {
            for change in [PipelineChange::Create(json!({})), PipelineChange::Delete] {
                ledger.change_pipeline(&name, &change).await.unwrap();
            }
            let notes = ledger.idle_queues().await.unwrap();
            assert_eq!(notes.len(), expected);
            assert!(notes.iter().all(|note| note.reason == IdleReason::Deleted));
            ledger.ensure_identity().await.unwrap();
        }
        ledger.forget_idle_queues(&name).await.unwrap();
        assert_eq!(ledger.idle_queues().await.unwrap(), []);
    }
}
