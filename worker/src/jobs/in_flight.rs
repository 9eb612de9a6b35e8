//! The datums in flight in the current worker, each of them once.
//!
//! A message may be delivered again while its datum still runs here: the channel was lost, or the message was published
//! twice. The second delivery waits until the first has ended, and then finds the verdict; or until the first passes the datum
//! on in a new message, which then stands for both.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_shared::id::JobId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// The datums in flight, by job and index.
#[derive(Debug, Default)]
pub(crate) struct InFlightDatums {
    datums: Mutex<HashMap<JobId, HashSet<u64>>>,
    /// Datums for which other deliveries wait. A token is cancelled when its datum is passed on.
    awaited: Mutex<HashMap<(JobId, u64), CancellationToken>>,
    /// Notified whenever a datum has ended.
    ended: Notify,
}

/// A datum in flight, until this guard is dropped.
#[derive(Debug)]
pub(crate) struct InFlightDatum<'a> {
    in_flight: &'a InFlightDatums,
    job: JobId,
    index: u64,
    /// True if another delivery of the same datum had to end first.
    pub(crate) waited: bool,
}

impl InFlightDatums {
    /// Marks a datum as in flight, once no other delivery of it is; none if another delivery passed the datum on. Cancel-safe.
    pub(crate) async fn take(&self, job: JobId, index: u64) -> Option<InFlightDatum<'_>> {
        let mut waited = false;
        loop {
            // Registered before the check, so no notification between the two is missed.
            let ended = self.ended.notified();
            if let Some(mut taken) = self.take_unless_here(job, index) {
                taken.waited = waited;
                return Some(taken);
            }
            waited = true;
            let passed_on = self.awaited().entry((job, index)).or_default().clone();
            tokio::select! {
                biased;
                () = passed_on.cancelled() => return None,
                () = ended => {}
            }
        }
    }

    /// Marks a datum as in flight; none if another delivery of it is.
    pub(crate) fn take_unless_here(&self, job: JobId, index: u64) -> Option<InFlightDatum<'_>> {
        let is_new = self.lock().entry(job).or_default().insert(index);
        is_new.then(|| {
            metrics::in_flight(1);
            InFlightDatum {
                in_flight: self,
                job,
                index,
                waited: false,
            }
        })
    }

    /// The number of datums in flight.
    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(HashSet::len).sum()
    }

    /// Waits until no datum of the job is in flight.
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
        self.datums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<(JobId, u64), CancellationToken>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlightDatum<'_> {
    /// Ends the other deliveries of the datum that wait here: the datum goes on in a new message.
    pub(crate) fn pass_on(self) {
        if let Some(awaited) = self.in_flight.awaited().remove(&(self.job, self.index)) {
            awaited.cancel();
        }
    }
}

impl Drop for InFlightDatum<'_> {
    fn drop(&mut self) {
        let mut datums = self.in_flight.lock();
        if let Some(indexes) = datums.get_mut(&self.job) {
            indexes.remove(&self.index);
            if indexes.is_empty() {
                datums.remove(&self.job);
            }
        }
        drop(datums);
        self.in_flight.awaited().remove(&(self.job, self.index));
        metrics::in_flight(-1);
        self.in_flight.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_datum_is_in_flight_once_and_a_second_delivery_waits() {
        let in_flight = InFlightDatums::default();
        let job = JobId::generate();
        let first = in_flight.take(job, 1).now_or_never().flatten().unwrap();
        assert!(!first.waited);
        let mut second = Box::pin(in_flight.take(job, 1));
        assert!((&mut second).now_or_never().is_none());
        assert!(in_flight.take_unless_here(job, 1).is_none());
        assert!(in_flight.take_unless_here(job, 3).is_some());
        let other = in_flight.take(job, 2).now_or_never();
        assert!(other.is_some(), "another datum need not wait");
        let elsewhere = in_flight.take(JobId::generate(), 1).now_or_never();
        assert!(
            elsewhere.is_some(),
            "the same index of another job need not wait"
        );
        drop(first);
        let second = (&mut second).now_or_never().flatten().unwrap();
        assert!(second.waited);
    }

    #[test]
    fn a_datum_that_is_passed_on_ends_its_waiting_deliveries_and_no_later_ones() {
        let in_flight = InFlightDatums::default();
        let job = JobId::generate();
        let take = || in_flight.take(job, 1);
        let first = take().now_or_never().flatten().unwrap();
        let mut waiting = [Box::pin(take()), Box::pin(take())];
        for waiting in &mut waiting {
            assert!(waiting.now_or_never().is_none());
        }
        first.pass_on();
        for waiting in waiting {
            assert!(waiting.now_or_never().unwrap().is_none());
        }
        let later = take().now_or_never().flatten();
        assert!(!later.unwrap().waited);
        assert!(in_flight.awaited().is_empty());
    }

    #[test]
    fn a_job_is_released_with_its_last_datum_and_nothing_is_remembered() {
        let in_flight = InFlightDatums::default();
        let job = JobId::generate();
        let datums = [1, 2].map(|index| in_flight.take_unless_here(job, index).unwrap());
        let mut released = Box::pin(in_flight.empty_of(job));
        for datum in datums {
            assert!((&mut released).now_or_never().is_none());
            drop(datum);
        }
        assert!((&mut released).now_or_never().is_some());
        assert!(in_flight.lock().is_empty());
    }
}
