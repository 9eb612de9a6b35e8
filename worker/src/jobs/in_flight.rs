//! What this worker has in hand: the datums on their way, each of them once.
//!
//! A message may come again while its datum still runs here: its channel was lost, or it was published twice.
//! Nothing is gained by running it beside itself, so the second one waits, and is looked up when the first has ended.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_shared::id::JobId;
use tokio::sync::Notify;

use crate::metrics;

/// The datums on their way, by job and index.
#[derive(Debug, Default)]
pub(crate) struct InHand {
    journeys: Mutex<HashMap<JobId, HashSet<u64>>>,
    /// One of them has ended.
    ended: Notify,
}

/// A datum in hand, until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    in_hand: &'a InHand,
    job: JobId,
    index: u64,
    /// Whether another journey of the same datum had to be waited for.
    pub(crate) waited: bool,
}

impl InHand {
    /// Takes a datum in hand, once nobody else in this worker has it. Cancel-safe.
    pub(crate) async fn take(&self, job: JobId, index: u64) -> Hold<'_> {
        let mut waited = false;
        loop {
            // Before the look, so that no ending is missed after it.
            let ended = self.ended.notified();
            if self.lock().entry(job).or_default().insert(index) {
                metrics::in_flight(1);
                return Hold {
                    in_hand: self,
                    job,
                    index,
                    waited,
                };
            }
            waited = true;
            ended.await;
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(HashSet::len).sum()
    }

    /// Waits until no datum of the job is in hand.
    pub(crate) async fn empty_of(&self, job: JobId) {
        loop {
            let ended = self.ended.notified();
            if !self.lock().contains_key(&job) {
                return;
            }
            ended.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, HashSet<u64>>> {
        self.journeys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut journeys = self.in_hand.lock();
        if let Some(indexes) = journeys.get_mut(&self.job) {
            indexes.remove(&self.index);
            if indexes.is_empty() {
                journeys.remove(&self.job);
            }
        }
        drop(journeys);
        metrics::in_flight(-1);
        self.in_hand.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_datum_is_in_hand_once_and_the_second_one_waits() {
        let in_hand = InHand::default();
        let job = JobId::generate();
        let first = in_hand.take(job, 1).now_or_never().unwrap();
        assert!(!first.waited);
        let mut second = Box::pin(in_hand.take(job, 1));
        assert!((&mut second).now_or_never().is_none());
        let other = in_hand.take(job, 2).now_or_never();
        assert!(other.is_some(), "another datum need not wait");
        let elsewhere = in_hand.take(JobId::generate(), 1).now_or_never();
        assert!(elsewhere.is_some(), "nor the same index of another job");
        drop(first);
        assert!((&mut second).now_or_never().unwrap().waited);
    }

    #[test]
    fn a_job_is_let_go_with_its_last_datum_and_nothing_is_remembered() {
        let in_hand = InHand::default();
        let job = JobId::generate();
        let holds = [1, 2].map(|index| in_hand.take(job, index).now_or_never().unwrap());
        let mut let_go = Box::pin(in_hand.empty_of(job));
        for hold in holds {
            assert!((&mut let_go).now_or_never().is_none());
            drop(hold);
        }
        assert!((&mut let_go).now_or_never().is_some());
        assert!(in_hand.lock().is_empty());
    }
}
