//! Commands that look at jobs, or stop them.

pub(crate) mod datums;
pub(crate) mod explain;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod logs;
pub(crate) mod report;
pub(crate) mod stop;
pub(crate) mod wait;
