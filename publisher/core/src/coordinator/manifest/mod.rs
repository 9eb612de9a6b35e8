//! The manifest: which datums a job consists of, and how they are written down.

pub(crate) mod redo;
pub(crate) mod retry;
pub(crate) mod sample;
pub(crate) mod source;
pub(crate) mod write;
