//! The resources of the API, a file each.

pub(crate) mod attention;
pub(crate) mod audit;
pub(crate) mod changes;
pub(crate) mod datums;
pub(crate) mod detail;
pub(crate) mod failures;
pub(crate) mod files;
pub(crate) mod jobs;
pub(crate) mod logs;
pub(crate) mod pipelines;
pub(crate) mod redo;
pub(crate) mod scan;
pub(crate) mod timeline;
pub(crate) mod why;
pub(crate) mod workers;
