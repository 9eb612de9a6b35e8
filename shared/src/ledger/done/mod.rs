//! The done index: all work of a pipeline that ever succeeded.

mod fold;
mod format;
mod index;

pub use format::DoneRef;
pub use index::DoneIndex;
