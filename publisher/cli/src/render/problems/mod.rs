//! Errors and the findings in specs.

pub(crate) mod error;
pub(crate) mod findings;
