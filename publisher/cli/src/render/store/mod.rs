//! Stored work: verification, removal, and space; limits.

pub(crate) mod collection;
pub(crate) mod limits;
pub(crate) mod usage;
pub(crate) mod verification;
