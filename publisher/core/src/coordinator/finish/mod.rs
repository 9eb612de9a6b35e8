//! The end of a job: stop requests, the output folder, egress, and the final record.

pub(crate) mod close;
pub(crate) mod egress;
mod estimate;
pub(crate) mod publication;
pub(crate) mod stop;
