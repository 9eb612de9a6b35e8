//! A datum that this worker has taken, as all stages know it.

use std::sync::Arc;

use drover_shared::datum::Datum;
use jiff::Timestamp;

use super::suspicion::Suspicion;
use crate::jobs::Job;

/// A datum that this worker has taken.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) job: Arc<Job>,
    pub(crate) datum: Arc<Datum>,
    /// How many datums the job has, once that is known.
    pub(crate) total: Option<u64>,
    /// Deliveries of its message before this one.
    pub(crate) redeliveries: u32,
    /// Whether another message may have brought it before.
    pub(crate) again: bool,
    /// Names this delivery; see [`Tools::next_claim`](crate::context::Tools::next_claim).
    pub(crate) claim: Arc<str>,
    pub(crate) started: Timestamp,
    /// How many workers are known to have died while they ran it.
    pub(crate) deaths: u32,
}

impl Claimed {
    /// Whether somebody may have begun with it before, and ended it or died of it.
    pub(crate) fn is_repeated(&self) -> bool {
        self.redeliveries > 0 || self.again
    }

    /// What to think of it.
    pub(super) fn suspicion(&self) -> Suspicion {
        Suspicion::of(self.deaths, self.job.pipeline.datum_tries)
    }
}
