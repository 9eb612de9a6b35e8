//! Follows the datums of a running job and decides when the job has ended.

pub(crate) mod collect;
pub(crate) mod dead;
pub(crate) mod decide;
pub(crate) mod failure_limit;
pub(crate) mod live;
pub(crate) mod rate;
pub(crate) mod tally;
mod trust;
