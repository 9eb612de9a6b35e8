//! The done index: all work of a pipeline that ever succeeded, and where its output lies.

use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::id::{DatumId, JobId, PipelineName};
use crate::store::StoreError;

/// Where a piece of work was done: datum `index` of `job`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct DoneRef {
    /// The job.
    pub job: JobId,
    /// The datum's place in it.
    pub index: u64,
}

/// All work of a pipeline that ever succeeded, for look-up by id. At most 32 bytes a datum in memory.
#[derive(Clone, Debug, Default)]
pub struct DoneIndex {}

impl DoneIndex {
    /// Where the work was done, if it was.
    pub fn get(&self, datum: DatumId) -> Option<DoneRef> {
        todo!("{datum}")
    }

    /// How many pieces of work.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Ledger {
    /// The done index of a pipeline, with the successes of unfolded jobs folded in (and written back), so
    /// that a job that was cut off counts. Only for the holder of the pipeline's lock.
    pub async fn done_index(&self, pipeline: &PipelineName) -> Result<DoneIndex, StoreError> {
        todo!("{pipeline}")
    }

    /// Adds the successes of a job that has ended to the pipeline's done index.
    pub async fn fold(&self, pipeline: &PipelineName, job: JobId) -> Result<(), StoreError> {
        todo!("{pipeline} {job}")
    }
}
