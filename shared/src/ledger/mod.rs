//! The ledger: the books kept under `.drover`, on any store.
//!
//! The store is the truth about what is finished. What a datum came to is decided by the first
//! commit record written for its index; all else here can be made again from those. Every record is JSON
//! (the done index apart): unknown fields pass, so that an older Drover reads what a newer one wrote.

mod records;

mod dead_letters;
mod epochs;
mod jobs;
mod lock;
mod reference;
mod registry;
mod submissions;

mod manifest;
mod segment;
mod verdicts;

mod attempts;
mod done;
mod done_format;
mod fold;

#[cfg(test)]
mod tests;

pub use attempts::LogFile;
pub use dead_letters::DeadLetter;
pub use done::{DoneIndex, DoneRef};
pub use epochs::Epoch;
pub use lock::PipelineLock;
pub use manifest::ManifestEntry;
pub use reference::ReferenceError;
pub use registry::{PipelineChange, RegisteredPipeline, RegistryError};
pub use segment::Segment;
pub use submissions::{Scope, Submission};
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
