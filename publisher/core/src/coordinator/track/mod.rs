//! Follows the datums of a running job and decides when the job has ended.

pub(crate) mod collect;
pub(crate) mod dead;
pub(crate) mod decide;
pub(crate) mod early_end;
pub(crate) mod live;
mod pace;
pub(crate) mod rate;
mod short_datums;
pub(crate) mod stragglers;
pub(crate) mod tally;
mod trust;
