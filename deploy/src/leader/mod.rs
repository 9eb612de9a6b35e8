//! Leader election by a Kubernetes Lease: one operator leads; the others wait until the Lease is released or expires.
//!
//! The clocks of different machines are not compared: the holder counts as alive as long as the Lease keeps changing
//! while a candidate watches. Two operators may believe that they lead for a moment. Every write may be repeated and
//! both apply the same fields, so this is harmless.

mod candidate;
mod observation;

#[cfg(test)]
mod tests;

pub use candidate::{LeaseCandidate, LeaseLost};
