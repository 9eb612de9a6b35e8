//! The coordinator: owns a job from its creation until its record is final.
//!
//! It opens the books ([`open`]); takes datums from their [`source`], or from an earlier job ([`retry`]); writes
//! them into the [`manifest`]; supplies workers with them ([`supply`]); collects what becomes of them ([`collect`]);
//! and sees to the rest ([`finish`]). What it knows it keeps in a [`tally`], what it comes to it reads from
//! a table ([`decide`]). It holds no truth of its own: [`recover`] makes all it knows again from the ledger.

mod assignment;
mod error;
mod fence;
mod snapshot;
mod tools;

mod coordinate;

mod open;
mod retry;
mod source;

mod manifest;
mod sets;
mod supply;

mod collect;
mod dead;
mod decide;
mod live;
mod rate;
mod stop;
mod tally;

mod egress;
mod finish;
pub mod reason;
mod recover;

#[cfg(test)]
mod tests;

pub use assignment::Assignment;
pub use coordinate::{REPORTS, coordinate, resume};
pub use drover_shared::ledger::Scope;
pub use error::CoordinateError;
pub use fence::Fence;
pub use snapshot::{FileProgress, RunningDatum, Snapshot};
pub use tools::{Pace, Tools};
