//! The coordinator: owns a job from its creation until its record is final.

mod assignment;
mod snapshot;

pub use assignment::{Assignment, Scope};
pub use snapshot::{FileProgress, RunningDatum, Snapshot};
