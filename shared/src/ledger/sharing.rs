//! Priority and share of pipelines as changed since the specs. A change holds for every job of the pipeline until it is
//! taken back.

use super::Ledger;
use super::records::{advice, to_json};
use crate::id::PipelineName;
use crate::pipeline::Sharing;
use crate::store::{StoreError, layout};

impl Ledger {
    /// The changed priority and share of a pipeline; none if the spec holds.
    pub async fn changed_sharing(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Option<Sharing>, StoreError> {
        self.read_optional(&layout::changed_sharing(pipeline), advice::SHARING)
            .await
    }

    /// Changes priority and share of a pipeline; none takes the change back.
    pub async fn change_sharing(
        &self,
        pipeline: &PipelineName,
        sharing: Option<Sharing>,
    ) -> Result<(), StoreError> {
        let key = layout::changed_sharing(pipeline);
        match sharing {
            Some(sharing) => self.store.put(&key, to_json(&key, &sharing)?).await,
            None => self.store.delete(&key).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Priority;
    use crate::store::Store;

    #[tokio::test]
    async fn a_change_holds_until_it_is_taken_back() {
        let ledger = Ledger::new(Store::in_memory());
        let pipeline = "map".parse().unwrap();
        ledger.change_sharing(&pipeline, None).await.unwrap();
        let urgent = Sharing {
            priority: Priority::High,
            ..Sharing::default()
        };
        ledger
            .change_sharing(&pipeline, Some(urgent))
            .await
            .unwrap();
        assert_eq!(
            ledger.changed_sharing(&pipeline).await.unwrap(),
            Some(urgent)
        );
        ledger.change_sharing(&pipeline, None).await.unwrap();
        assert_eq!(ledger.changed_sharing(&pipeline).await.unwrap(), None);
    }
}
