//! The operator's view of the store: registration of pipelines for `drover serve`, and the unfinished jobs.
//!
//! The room does not know Kubernetes.

mod ledger;
mod port;

pub use ledger::LedgerJobStore;
pub use port::{JobBacklog, JobStore, JobStoreError};
