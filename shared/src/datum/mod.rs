//! A datum: the unit of work, its verdict, and the cause of a failure.

mod cause;
mod identity;
mod input;
mod verdict;

pub use cause::Cause;
pub use identity::{CodeFile, WorkIdentity};
pub use input::{ContentTag, Datum, DatumInput, InputKind};
pub use verdict::{DatumState, Output, StageStats, Verdict, VerdictState};
