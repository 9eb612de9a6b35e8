//! The controller: watches the cluster, plans, and applies the plan.
//!
//! The operator's whole state is in the cluster and the store, so it may be killed and restarted at any point. Every
//! action may be repeated.

mod apply;
mod context;
mod error;
mod hints;
mod nodes;
mod orphans;
mod reconcile;
mod watch;
mod write;

#[cfg(test)]
mod tests;

pub use context::{Context, FailureCounts};
pub use error::OperatorError;
pub use hints::hints;
pub use nodes::{Nodes, watch_nodes};
pub use orphans::RegisteredNames;
#[cfg(test)]
pub(crate) use orphans::{find_earlier, unregister_orphans};
pub use reconcile::{FINALIZER, reconcile, retry};
pub use watch::watch;
