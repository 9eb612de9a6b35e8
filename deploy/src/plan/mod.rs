//! How many workers there should be: a pure function of what is asked for, what is seen, and the time.
//!
//! It knows nothing of Kubernetes' objects. Acting on a plan leaves no choices, and planning again right after
//! changes nothing.

mod decide;
mod fit;

#[cfg(test)]
mod tests;

pub use decide::{Idle, Observed, Plan, Scale, plan};
pub use fit::{Fit, fitting};
