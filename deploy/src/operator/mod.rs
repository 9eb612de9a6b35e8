//! The operator at work: sees what changed, plans, and carries the plan out.
//!
//! All that it knows of a pipeline is in the cluster and in the store, so it may be killed and started anew at any point.
//! Whatever it does may be done twice.

mod apply;
mod context;
mod dismiss;
mod error;
mod hints;
mod nodes;
mod reconcile;
mod tend;
mod watch;

#[cfg(test)]
mod tests;

pub use context::{Context, Failures};
pub use error::OperatorError;
pub use hints::hints;
pub use nodes::{Nodes, watch_nodes};
pub use reconcile::{FINALIZER, reconcile, retry};
pub use watch::watch;
