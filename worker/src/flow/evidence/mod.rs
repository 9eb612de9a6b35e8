//! The end of a worker as evidence: against a deadly datum, or of a machine with a short notice.

mod mark;
#[cfg(test)]
mod reclaims;
mod suspicion;
mod waste;

pub(super) use mark::{AttemptMark, look_back};
pub(super) use suspicion::Suspicion;
pub(super) use waste::noting_waste;
