//! Epochs: the coordinators of a pipeline, one after the other. Who finds a higher epoch than its own was deposed, and
//! writes nothing any more.

use bytes::Bytes;

use crate::id::PipelineName;
use crate::ledger::Ledger;
use crate::store::{StoreError, layout};

/// A coordinator's place among all that a pipeline ever had.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Epoch(u64);

impl Ledger {
    /// Begins a new epoch, which ends all earlier ones. `who` is for people who look into the store.
    pub async fn begin_epoch(
        &self,
        pipeline: &PipelineName,
        who: &str,
    ) -> Result<Epoch, StoreError> {
        let earlier = self.epochs(pipeline).await?;
        let mut n = earlier.last().map_or(1, |last| last + 1);
        loop {
            let key = layout::epoch(pipeline, n);
            let text = Bytes::from(who.to_owned());
            match self.store.create(&key, text).await {
                Ok(()) => break,
                Err(StoreError::Exists { .. }) => n += 1,
                Err(error) => return Err(error),
            }
        }
        let earlier = earlier.iter().map(|n| layout::epoch(pipeline, *n));
        self.store.delete_each(earlier.collect()).await?;
        Ok(Epoch(n))
    }

    /// Whether no epoch is later than this one.
    pub async fn is_latest(
        &self,
        pipeline: &PipelineName,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        let latest = self.epochs(pipeline).await?.last().copied();
        Ok(latest.is_none_or(|latest| latest <= epoch.0))
    }

    /// The epochs that have begun, ascending; of the early ones only some.
    async fn epochs(&self, pipeline: &PipelineName) -> Result<Vec<u64>, StoreError> {
        let names = self.store.names(&layout::epochs(pipeline)).await?;
        let mut epochs: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        epochs.sort_unstable();
        Ok(epochs)
    }
}
