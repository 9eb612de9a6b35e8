//! A job: one run of a pipeline over the content of its inputs.

mod failures;
mod record;
mod state;

pub use failures::{CauseKey, FailureGroup, FailureGroups};
pub use record::{Counts, JobRecord};
pub use state::{InvalidTransition, JobEvent, JobState};
