//! A datum: the unit of work, what became of it, and why.

mod cause;
mod input;
mod verdict;

pub use cause::Cause;
pub use input::{ContentTag, Datum, DatumInput, InputKind};
pub use verdict::{DatumState, Output, StageStats, Verdict, VerdictState};
