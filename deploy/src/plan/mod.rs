//! The number of workers: a pure function of the desired state, the observed state and the time.
//!
//! This room does not know the operator's objects. A plan leaves no choices, and planning again directly after a plan
//! was carried out changes nothing.

mod departure;
mod node_fit;
mod out_of_memory;
mod scaling;

#[cfg(test)]
mod tests;

pub use departure::{is_going, pods_to_leave};
pub use node_fit::{NodeFit, fitting, is_node_ready};
pub use out_of_memory::out_of_memory;
pub use scaling::{IdleState, ScalingInput, ScalingPlan, ScalingRules, large_workers, plan};
