//! The jobs whose datums a worker processes: specs, cancellation, tasks held, and datums in flight.

mod begun_sets;
mod cancellations;
mod code_objects;
mod code_watch;
mod follow_watch;
mod held;
mod in_flight;
mod job;
mod late_segments;
mod reported_attempts;
mod terms;

pub(crate) use begun_sets::BegunSets;
pub use cancellations::Cancellations;
pub(crate) use code_objects::CodeObjects;
pub(crate) use code_watch::{CodeCheck, CodeMoment, CodeWatch};
pub(crate) use follow_watch::FollowWatch;
pub(crate) use held::{HeldTask, HeldTasks};
pub(crate) use in_flight::InFlightDatums;
pub(crate) use job::{EndingJob, InputLeaf, InputMode, Job, JobError, Jobs};
pub(crate) use late_segments::LateSegments;
pub(crate) use reported_attempts::ReportedAttempts;
pub(crate) use terms::Terms;
