//! The coordinator: resumes a job, a new one too, and runs it to its final record.
//!
//! It reads what earlier jobs did ([`recovery`]); writes the job's datums into the [`manifest`]; publishes their
//! messages ([`dispatch`]) and watches over them ([`messages`]); follows what the workers report ([`track`]); and writes output and final record ([`finish`]).
//! It holds no truth of its own: [`recovery`] rebuilds all its state from the ledger.

mod assignment;
mod context;
mod control;
mod error;
mod fence;
mod snapshot;
mod store_retry;

mod dispatch;
mod finish;
mod limits;
mod manifest;
mod messages;
mod recovery;
mod track;

mod coordinate;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use assignment::Assignment;
pub use context::JobContext;
pub use control::{Control, StopRequest};
pub use coordinate::{REPORTS, resume};
pub use drover_shared::ledger::Scope;
pub use error::CoordinateError;
pub use fence::Fence;
pub use snapshot::{RunningDatum, Snapshot};
