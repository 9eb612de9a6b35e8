//! The weights of pipelines: from the specs, unless changed since.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::{Pipeline, Sharing};
use drover_shared::store::StoreError;

/// The changed weights.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    changed: Mutex<HashMap<PipelineName, f64>>,
}

impl Weights {
    /// The weight of a pipeline.
    pub(crate) fn of(&self, pipeline: &Pipeline) -> f64 {
        let changed = self.lock().get(&pipeline.name).copied();
        changed.unwrap_or_else(|| pipeline.sharing.weight())
    }

    /// Reads the changed weight of a pipeline from the ledger; none if the spec holds.
    pub(crate) async fn read(
        &self,
        pipeline: &PipelineName,
        ledger: &Ledger,
    ) -> Result<Option<f64>, StoreError> {
        let changed = ledger.changed_sharing(pipeline).await?;
        let weight = changed.map(Sharing::weight);
        let mut all = self.lock();
        match weight {
            Some(weight) => all.insert(pipeline.clone(), weight),
            None => all.remove(pipeline),
        };
        Ok(weight)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PipelineName, f64>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
