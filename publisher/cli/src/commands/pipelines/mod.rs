//! Commands that change and list the registered pipelines.

pub(crate) mod registry;
