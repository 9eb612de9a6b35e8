//! The jobs whose datums a worker processes: specs, cancellation, and datums in flight.

mod cancellations;
mod code_watch;
mod in_flight;
mod job;

pub use cancellations::Cancellations;
pub(crate) use code_watch::{CodeCheck, CodeMoment, CodeWatch};
pub(crate) use in_flight::InFlightDatums;
pub(crate) use job::{InputLeaf, InputMode, Job, JobError, Jobs, StoppedJob};
