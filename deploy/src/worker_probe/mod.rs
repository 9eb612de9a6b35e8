//! Asks the running workers which of them are busy: idle pods are removed first, and busy ones are protected.

mod deletion_cost;
mod load;
mod probe;
mod protection;

pub use deletion_cost::{DELETION_COST, cost, costs_to_set};
pub use load::WorkerLoad;
pub use probe::{HttpWorkerProbe, WorkerProbe, is_ready, probe_all};
pub use protection::{PROTECTION, is_any_protected, protection_changes};
