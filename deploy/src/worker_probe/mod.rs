//! Asks the running workers which of them are busy, so idle pods are removed first.

mod deletion_cost;
mod probe;

pub use deletion_cost::{DELETION_COST, Utilization, cost, costs_to_set};
pub use probe::{HttpWorkerProbe, WorkerProbe, is_ready, probe_all};
