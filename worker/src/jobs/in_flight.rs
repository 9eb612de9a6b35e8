//! The datums in flight in the current worker, each of them once.
//!
//! A message may be delivered again while its datum still runs here: the channel was lost, or the message was published
//! twice. The second delivery waits until the first has ended, and then finds the verdict; or until the first passes the datum
//! on in a new message, which then stands for both.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_shared::datum::IndexRanges;
use drover_shared::id::JobId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// The datums in flight, by job and index.
#[derive(Debug, Default)]
pub(crate) struct InFlightDatums {
    /// A token is cancelled when its datum is passed on.
    datums: Mutex<HashMap<JobId, HashMap<u64, CancellationToken>>>,
    /// Notified whenever a datum has ended.
    ended: Notify,
}

/// A datum in flight, until this guard is dropped.
#[derive(Debug)]
pub(crate) struct InFlightDatum<'a> {
    in_flight: &'a InFlightDatums,
    job: JobId,
    index: u64,
    passed_on: CancellationToken,
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
            match self.try_take(job, index) {
                Ok(mut taken) => {
                    taken.waited = waited;
                    return Some(taken);
                }
                Err(passed_on) => {
                    waited = true;
                    tokio::select! {
                        biased;
                        () = passed_on.cancelled() => return None,
                        () = ended => {}
                    }
                }
            }
        }
    }

    /// Marks a datum as in flight; none if another delivery of it is.
    pub(crate) fn take_unless_here(&self, job: JobId, index: u64) -> Option<InFlightDatum<'_>> {
        self.try_take(job, index).ok()
    }

    /// Marks a datum as in flight; the token of another delivery that is.
    fn try_take(&self, job: JobId, index: u64) -> Result<InFlightDatum<'_>, CancellationToken> {
        let passed_on = match self.lock().entry(job).or_default().entry(index) {
            Entry::Occupied(other) => return Err(other.get().clone()),
            Entry::Vacant(free) => free.insert(CancellationToken::new()).clone(),
        };
        metrics::in_flight(1);
        Ok(InFlightDatum {
            in_flight: self,
            job,
            index,
            passed_on,
            waited: false,
        })
    }

    /// The number of datums in flight.
    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(HashMap::len).sum()
    }

    /// True if one of the datums of a job is in flight.
    pub(crate) fn has_any(&self, job: JobId, datums: &IndexRanges) -> bool {
        let jobs = self.lock();
        let of_job = jobs.get(&job);
        of_job.is_some_and(|taken| taken.keys().any(|index| datums.contains(*index)))
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

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, HashMap<u64, CancellationToken>>> {
        self.datums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlightDatum<'_> {
    /// Ends the other deliveries of the datum that wait here: the datum goes on in a new message.
    pub(crate) fn pass_on(self) {
        self.passed_on.cancel();
    }
}

impl Drop for InFlightDatum<'_> {
    fn drop(&mut self) {
        let mut datums = self.in_flight.lock();
        if let Some(of_job) = datums.get_mut(&self.job) {
            of_job.remove(&self.index);
            if of_job.is_empty() {
                datums.remove(&self.job);
            }
        }
        drop(datums);
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
        assert!(in_flight.lock().is_empty());
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
