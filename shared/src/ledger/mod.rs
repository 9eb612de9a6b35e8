//! The ledger: the books kept under `.drover`, on any store.
//!
//! The store is the truth about what is finished. What a datum came to is decided by the first
//! commit record written for its index; all else here can be made again from those.

mod done;
mod jobs;
mod manifest;
mod verdicts;

pub use done::{DoneIndex, DoneRef};
pub use manifest::{ManifestEntry, Segment};
pub use verdicts::Commit;

use crate::store::Store;

/// The books of one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    store: Store,
}

impl Ledger {
    /// The books kept in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The store they are kept in.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
