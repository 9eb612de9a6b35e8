//! A job: one run of a pipeline over the content of its inputs.

mod failures;
mod key;
mod record;
mod state;

pub use failures::{CauseKey, FailureGroup, FailureGroups};
pub use key::{InvalidJobKey, JobKey};
pub use record::{Counts, JobRecord};
pub use state::{InvalidTransition, JobEvent, JobState};
