//! The handle to the records of a store.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::store::Store;

/// Drover's records in one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) store: Store,
    /// True once the store said that every job is noted; that stays so.
    pub(super) are_jobs_noted: Arc<AtomicBool>,
}

impl Ledger {
    /// The records in `store`.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            are_jobs_noted: Arc::default(),
        }
    }

    /// The store that holds the records.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
