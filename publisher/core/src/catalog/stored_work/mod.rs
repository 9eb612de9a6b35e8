//! Work that is stored: which successes count, whether their output is whole, and what a run would do anew.

mod plan_reason;
mod redo;
mod successes;
mod verify;

pub use plan_reason::{PlanHistory, PlanReason};
pub use redo::{RedoError, RedoFilter, redo, redo_datums};
pub use verify::{DamagedOutput, Verification, verify};
