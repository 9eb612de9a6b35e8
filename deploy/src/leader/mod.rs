//! Leader election by a Kubernetes Lease: a single operator leads; the candidates wait until the Lease is released or expires.
//!
//! The clocks of different machines are not compared: the holder counts as alive as long as the Lease keeps changing
//! while a candidate watches. A holder without a renewal stops all work before another candidate may lead. A
//! write already under way may still arrive late, so every write to the store carries the Lease's count of
//! transitions, and the store refuses a count below the recorded one (`drover_shared::ledger::LeaderTerm`).

mod candidate;
mod observation;

#[cfg(test)]
mod tests;

pub use candidate::{Leadership, LeaseCandidate, LeaseError, LeaseLost};
