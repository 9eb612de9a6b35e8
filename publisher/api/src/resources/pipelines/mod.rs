//! Registered pipelines: list and details, changes, and their graph.

mod graph;
mod list;
pub(crate) mod registered;

pub(crate) use graph::graph;
pub(crate) use list::{all, list, show};
