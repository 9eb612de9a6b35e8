//! A datum: the unit of work, its verdict, and the cause of a failure.

mod cause;
mod content_hash;
mod identity;
mod input;
mod verdict;

pub use cause::Cause;
pub use content_hash::content_hash;
pub use identity::{CodeFile, WorkIdentity};
pub use input::{ContentTag, Datum, DatumInput, InputKind};
pub use verdict::{DatumState, Output, StageStats, Verdict, VerdictState};
