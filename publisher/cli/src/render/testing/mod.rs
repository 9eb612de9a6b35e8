//! Test support.

pub(crate) mod samples;
