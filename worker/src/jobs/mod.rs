//! The jobs whose datums a worker processes: their specs, their cancellation, and which of their datums are in flight.

mod cancellations;
mod in_flight;
mod job;

pub use cancellations::Cancellations;
pub(crate) use in_flight::InFlightDatums;
pub(crate) use job::{InputLeaf, InputMode, Job, JobError, Jobs};
