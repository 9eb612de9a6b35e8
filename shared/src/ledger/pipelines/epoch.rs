//! Epochs number the successive coordinators of a pipeline. A coordinator that finds a higher epoch than its own is
//! deposed and stops writing.

use bytes::Bytes;

use crate::id::PipelineName;
use crate::ledger::Ledger;
use crate::store::{StoreError, layout};

/// Epoch of a coordinator.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Epoch(u64);

impl Epoch {
    /// Counts the coordinators of the pipeline.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl Ledger {
    /// Begins a new epoch, which ends all earlier epochs. `who` identifies the coordinator for people who look into
    /// the store.
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

    /// The coordinator of the latest epoch, as that coordinator named itself; none before the first epoch.
    pub async fn latest_leader(
        &self,
        pipeline: &PipelineName,
    ) -> Result<Option<String>, StoreError> {
        let Some(latest) = self.epochs(pipeline).await?.last().copied() else {
            return Ok(None);
        };
        match self.store.get(&layout::epoch(pipeline, latest)).await {
            Ok(who) => Ok(Some(String::from_utf8_lossy(&who).into_owned())),
            // A later epoch has begun meanwhile.
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True if no epoch is later than this epoch.
    pub async fn is_latest(
        &self,
        pipeline: &PipelineName,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        let latest = self.epochs(pipeline).await?.last().copied();
        Ok(latest.is_none_or(|latest| latest <= epoch.0))
    }

    /// Begun epochs, ascending; early epochs may be missing.
    async fn epochs(&self, pipeline: &PipelineName) -> Result<Vec<u64>, StoreError> {
        self.numbers(&layout::epochs(pipeline), "").await
    }
}
