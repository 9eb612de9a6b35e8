//! A datum: the unit of work, what became of it, and why.

mod cause;
mod identity;
mod input;
mod verdict;

pub use cause::Cause;
pub use identity::WorkIdentity;
pub use input::{ContentTag, Datum, DatumInput, InputKind};
pub use verdict::{DatumState, Output, StageStats, Verdict, VerdictState};
