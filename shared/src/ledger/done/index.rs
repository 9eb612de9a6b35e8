//! The done index: all work of a pipeline that ever succeeded, and where its output lies.

use serde::{Deserialize, Serialize};

use super::format::{DoneTable, RECORD_BYTES};
use crate::id::{DatumId, JobId};

/// Where a piece of work was done: datum `index` of `job`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct DoneRef {
    /// The job.
    pub job: JobId,
    /// The datum's place in it.
    pub index: u64,
}

/// All work of a pipeline that ever succeeded, for look-up by id. 28 bytes a datum in memory. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct DoneIndex(pub(super) DoneTable);

impl DoneIndex {
    /// Where the work was done, if it was.
    pub fn get(&self, datum: DatumId) -> Option<DoneRef> {
        let wanted = datum.to_bytes();
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let record = self.0.record(middle);
            match record[..16].cmp(&wanted[..]) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.0.reference(record)),
            }
        }
        None
    }

    /// How many pieces of work.
    pub fn len(&self) -> usize {
        self.0.records.len() / RECORD_BYTES
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
