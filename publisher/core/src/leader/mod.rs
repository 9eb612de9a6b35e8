//! The steward: sees the jobs of a pipeline on the broker through, one after the other, by whatever process is at it.
//!
//! A [`Steward`] waits for the [`seat`] of its pipeline, which the broker gives to one process at a time; begins an
//! epoch, which shuts out everyone who sat there before; and takes up the jobs where the ledger says they are. It
//! holds nothing that the ledger does not know, so it may die at any moment. [`Service`] keeps a steward for every pipeline that
//! has jobs; [`follow`] is for those who only watch.

mod follow;
mod hands;
pub mod metrics;
mod next;
mod reign;
mod scratch;
mod seat;
mod service;
mod shown;

#[cfg(test)]
mod tests;

pub use follow::follow;
pub use hands::Hands;
pub use reign::{Steward, Workers};
pub use service::Service;
pub use shown::Shown;
