//! Needs of a pipeline's datums, for predictions. A hint: work is right without the record.

use serde::{Deserialize, Serialize};

use crate::id::{JobId, PipelineName};
use crate::ledger::Ledger;
use crate::ledger::records::{advice, to_json};
use crate::prediction::UsageModel;
use crate::store::{StoreError, layout};

/// The record of a pipeline.
#[derive(Debug, Deserialize, Serialize)]
struct UsageRecord {
    /// The last job whose datums are in the model.
    job: JobId,
    model: UsageModel,
}

impl Ledger {
    /// Needs of a pipeline's datums in ended jobs. A damaged record counts as none.
    pub async fn usage_model(&self, pipeline: &PipelineName) -> Result<UsageModel, StoreError> {
        let record = self.usage_record(pipeline).await?;
        Ok(record.map(|record| record.model).unwrap_or_default())
    }

    /// Adds the needs of the datums of `job`. A repetition for the same job changes nothing.
    pub async fn learn_usage(
        &self,
        pipeline: &PipelineName,
        job: JobId,
        learned: &UsageModel,
    ) -> Result<(), StoreError> {
        let mut model = match self.usage_record(pipeline).await? {
            Some(record) if record.job == job => return Ok(()),
            Some(record) => record.model,
            None => UsageModel::default(),
        };
        model.add(learned);
        let key = layout::usage(pipeline);
        let record = UsageRecord { job, model };
        self.store.put(&key, to_json(&key, &record)?).await
    }

    async fn usage_record(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Option<UsageRecord>, StoreError> {
        let key = layout::usage(pipeline);
        match self.read_optional(&key, advice::DETAIL).await {
            Err(StoreError::Corrupt { .. }) => Ok(None),
            read => read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datum::{Cause, Verdict, VerdictState};
    use crate::id::DatumId;
    use crate::store::Store;
    use crate::testing::samples::{success, usage};

    fn learned(bytes: u64) -> UsageModel {
        let mut model = UsageModel::default();
        model.learn(&Verdict {
            state: VerdictState::Failed,
            cause: Some(Cause::Memory {
                bytes,
                input_bytes: 1,
                most: None,
            }),
            usage: Some(usage(bytes)),
            ..success(0, datum())
        });
        model
    }

    fn datum() -> DatumId {
        DatumId::from_hash(&blake3::hash(b"datum"))
    }

    #[tokio::test]
    async fn what_a_job_needed_is_learned_once() {
        let ledger = Ledger::new(Store::in_memory());
        let pipeline: PipelineName = "p".parse().unwrap();
        assert!(ledger.usage_model(&pipeline).await.unwrap().is_empty());
        let job = JobId::generate();
        ledger
            .learn_usage(&pipeline, job, &learned(100_000_000))
            .await
            .unwrap();
        let first = ledger.usage_model(&pipeline).await.unwrap();
        assert!(first.predict(datum(), 1).is_some());
        ledger
            .learn_usage(&pipeline, job, &learned(999_000_000))
            .await
            .unwrap();
        assert_eq!(ledger.usage_model(&pipeline).await.unwrap(), first);
        let next = JobId::generate();
        ledger
            .learn_usage(&pipeline, next, &learned(999_000_000))
            .await
            .unwrap();
        assert_ne!(ledger.usage_model(&pipeline).await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_damaged_record_predicts_nothing() {
        let ledger = Ledger::new(Store::in_memory());
        let pipeline: PipelineName = "p".parse().unwrap();
        let key = layout::usage(&pipeline);
        ledger.store.put(&key, "{".into()).await.unwrap();
        assert!(ledger.usage_model(&pipeline).await.unwrap().is_empty());
        let job = JobId::generate();
        ledger
            .learn_usage(&pipeline, job, &learned(50_000_000))
            .await
            .unwrap();
        assert!(!ledger.usage_model(&pipeline).await.unwrap().is_empty());
    }
}
