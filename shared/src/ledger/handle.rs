//! The handle to the records of a store.

use crate::store::Store;

/// Drover's records in one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) store: Store,
}

impl Ledger {
    /// The records in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The store that holds the records.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
