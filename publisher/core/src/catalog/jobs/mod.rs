//! Jobs: their records, whichever process runs them, and lists of them, newest first.

mod by_pipeline;
mod history;
mod record;

pub(crate) use by_pipeline::jobs_by_pipeline;
pub use history::{history, newest_job};
pub use record::{failures, record, running_before};
