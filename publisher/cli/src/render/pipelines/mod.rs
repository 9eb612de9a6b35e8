//! Registered pipelines: their list and explanations.

pub(crate) mod explain;
pub(crate) mod list;
