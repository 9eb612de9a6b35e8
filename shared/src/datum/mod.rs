//! A datum: the unit of work, its verdict, and the cause of a failure.

mod cause;
mod commit_unit;
mod content_hash;
mod identity;
mod index_ranges;
mod input;
mod tree_hash;
mod usage;
mod verdict;

pub use crate::store::ContentTag;
pub use cause::Cause;
pub use commit_unit::CommitUnit;
pub use content_hash::content_hash;
pub use identity::{CodeFile, WorkIdentity};
pub use index_ranges::IndexRanges;
pub use input::{Datum, DatumInput, InputKind};
pub use tree_hash::{TreeHash, short_version};
pub use usage::{MemoryObserver, ResourceUsage};
pub use verdict::{DatumState, Output, StageStats, Verdict, VerdictState};
