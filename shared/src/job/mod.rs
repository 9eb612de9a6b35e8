//! A job: one run of a pipeline over what its inputs hold at one moment.

mod failures;
mod record;
mod state;

pub use failures::{CauseKey, FailureGroup, FailureGroups};
pub use record::{Counts, JobRecord};
pub use state::{InvalidTransition, JobEvent, JobState};
