//! Rebuilds the state of a job from the ledger, and closes jobs that were interrupted.

pub(crate) mod open;
pub(crate) mod recover;
