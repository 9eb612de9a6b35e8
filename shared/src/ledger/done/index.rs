//! The done index: all work of a pipeline that ever succeeded, and the location of its output.

use super::format::{DoneRef, DoneTable, RECORD_BYTES};
use crate::id::DatumId;

/// All work of a pipeline that ever succeeded, for look-up by datum id. Takes 28 bytes of memory per datum. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub struct DoneIndex(pub(super) DoneTable);

impl DoneIndex {
    /// The datum that did the work, if the work is done.
    pub fn get(&self, datum: DatumId) -> Option<DoneRef> {
        let at = self.position(datum)?;
        Some(self.0.reference(self.0.record(at)))
    }

    /// The place of a datum in the index, if its work is done.
    pub fn position(&self, datum: DatumId) -> Option<usize> {
        let wanted = datum.to_bytes();
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let record = self.0.record(middle);
            match record[..16].cmp(&wanted[..]) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// Where the work was done, in the order of [positions](Self::position).
    pub fn references(&self) -> impl Iterator<Item = DoneRef> {
        (0..self.len()).map(|n| self.0.reference(self.0.record(n)))
    }

    /// How many pieces of work.
    pub fn len(&self) -> usize {
        self.0.records.len() / RECORD_BYTES
    }

    /// True if the index has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
