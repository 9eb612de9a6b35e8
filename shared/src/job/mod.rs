//! A job: one run of a pipeline over what its inputs hold at one moment.

mod record;
mod state;

pub use record::{Counts, JobRecord};
pub use state::JobState;
