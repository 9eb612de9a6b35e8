//! Jobs: their records, whichever process runs them, and lists of them, newest first.

mod history;
mod record;

pub use history::{history, newest_job};
pub use record::{failures, record, running_before};
