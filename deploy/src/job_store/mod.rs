//! The operator's view of the store: it registers pipelines for `drover serve`, and reads which jobs are unfinished.
//!
//! Nothing in this room knows Kubernetes.

mod ledger;
mod port;

pub use ledger::LedgerJobStore;
pub use port::{JobBacklog, JobStore, JobStoreError};
