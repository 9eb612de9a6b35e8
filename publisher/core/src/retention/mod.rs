//! Retention: removes finished jobs, superseded outputs and old logs, and tells the space that a store takes.
//!
//! The decisions are pure: [expiring jobs](expiry), [unused work](unused_work), [old logs](log_age), and the
//! [remaining files](remains) of an expired job. A [pass] carries the decisions out for one pipeline. Inputs and output
//! folders are never touched. A pass may end at any moment: marks in the store hold the rest of the work.

mod expiry;
mod file_kind;
mod log_age;
mod remains;
mod unused_work;

mod after_job;
mod pass;
mod removal;
mod store_pass;
mod usage;

#[cfg(test)]
mod tests;

pub(crate) use after_job::tidy_up;
pub use file_kind::{FileKind, Space};
pub use pass::{Effort, Removed, RetentionPass};
pub use store_pass::{PipelineCollection, PipelineState, collect};
pub use usage::{JobUsage, usage};
