//! A job: one run of a pipeline over the content of its inputs.

mod estimate;
mod failures;
mod halt;
mod key;
mod record;
mod state;
mod usage;

pub use estimate::{Estimate, FirstDatums, MeasuredDatum, Range, WholeJob};
pub use failures::{CauseKey, FailureGroup, FailureGroups};
pub use halt::{Halt, HaltCount, HaltMoment, HaltOutcome, InvalidHalt};
pub use key::{InvalidJobKey, JobKey};
pub use record::{Counts, JobRecord};
pub use state::{InvalidTransition, JobEvent, JobState};
pub use usage::{ResourceSummary, ResourceTally};
