//! Jobs: their progress, details, lists and explanations.

mod advice;
pub(crate) mod cluster;
pub(crate) mod detail;
mod estimate;
pub(crate) mod explain;
pub(crate) mod explain_datum;
pub(crate) mod list;
pub(crate) mod progress;
pub(crate) mod report;
