//! Stored work: verification, removal, and space.

pub(crate) mod collection;
pub(crate) mod usage;
pub(crate) mod verification;
