//! Jobs: records and lists of jobs, newest first, whichever process runs the jobs.

mod by_pipeline;
mod history;
mod record;

pub(crate) use by_pipeline::jobs_by_pipeline;
pub use history::{history, newest_job};
pub use record::{failures, record, running_before};
