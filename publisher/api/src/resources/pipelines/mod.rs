//! Registered pipelines: list and details, changes, graph, and their shares.

mod graph;
mod list;
pub(crate) mod registered;
pub(crate) mod sharing;

pub(crate) use graph::graph;
pub(crate) use list::{all, list, show};
