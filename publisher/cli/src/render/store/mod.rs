//! Stored work: verification, removal, and space; limits; workers.

pub(crate) mod collection;
pub(crate) mod fleet;
pub(crate) mod limits;
pub(crate) mod usage;
pub(crate) mod verification;
