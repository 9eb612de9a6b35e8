//! The jobs whose datums a worker processes: their specs, their cancellation, and which of their datums are in flight.

mod cancellations;
mod in_flight;
mod job;

pub use cancellations::Cancellations;
pub(crate) use in_flight::InHand;
pub(crate) use job::{Job, JobError, Jobs, Leaf, Shown};
