//! The commits of a set: the verdicts of a set wait for each other and go into the ledger together.
//!
//! A commit is due when no datum of the set is unfinished, half a second after the first verdict waits, or at once with a
//! failure. So a killed worker loses little, and the leader sees a failure without delay.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_shared::causes::with_causes;
use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::ledger::{Ledger, SetLog, SetVerdict};
use drover_shared::store::{StoreError, layout};
use tokio::sync::Notify;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::{Instant, sleep, timeout_at};

/// Longest wait of a verdict for others.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// A datum with a longer run is long: the rest of the set need not wait.
const LONG: Duration = Duration::from_secs(1);

/// Interval between two looks for long datums.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The commits of a set by the current worker.
#[derive(Debug)]
pub(crate) struct SetCommits {
    job: JobId,
    /// Index of the first datum of the set.
    first: u64,
    state: Mutex<SetState>,
    /// Notified whenever a verdict begins to wait, or a datum ends without one.
    changed: Notify,
    /// Held while a commit waits or is under way.
    committing: tokio::sync::Mutex<()>,
    log: tokio::sync::Mutex<SetLog>,
}

#[derive(Debug)]
struct SetState {
    waiting: Vec<WaitingVerdict>,
    /// Datums of the worker without an end.
    unfinished: usize,
    /// True once a datum has got a slot.
    has_begun: bool,
    /// When the datums in slots began.
    running: BTreeMap<u64, Instant>,
    /// When the first of the verdicts began to wait.
    since: Instant,
    /// True if a verdict must not wait.
    is_urgent: bool,
}

#[derive(Debug)]
struct WaitingVerdict {
    verdict: Verdict,
    committed: oneshot::Sender<Result<SetVerdict, StoreError>>,
}

/// A datum of the set in a slot, until this guard is dropped.
#[derive(Debug)]
pub(super) struct SetRun<'a> {
    set: &'a SetCommits,
    index: u64,
}

/// An unfinished datum of the set, until this guard is dropped.
#[derive(Debug)]
pub(crate) struct SetMember<'a>(&'a SetCommits);

impl SetCommits {
    /// The commits of the set whose first datum has the index `first`. The worker was given `unfinished` datums of the set.
    pub(crate) fn new(job: JobId, first: u64, unfinished: usize) -> Self {
        Self {
            job,
            first,
            state: Mutex::new(SetState {
                waiting: Vec::new(),
                unfinished,
                has_begun: false,
                running: BTreeMap::new(),
                since: Instant::now(),
                is_urgent: false,
            }),
            changed: Notify::new(),
            committing: tokio::sync::Mutex::default(),
            log: tokio::sync::Mutex::new(SetLog::unread(job, first)),
        }
    }

    /// Index of the first datum of the set.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// A datum counted by [`SetCommits::new`].
    pub(crate) fn member(&self) -> SetMember<'_> {
        SetMember(self)
    }

    /// Counts a datum as running.
    pub(super) fn run(&self, index: u64) -> SetRun<'_> {
        let mut state = self.state();
        state.has_begun = true;
        state.running.insert(index, Instant::now());
        drop(state);
        SetRun { set: self, index }
    }

    /// True once a datum has got a slot.
    pub(crate) fn has_begun(&self) -> bool {
        self.state().has_begun
    }

    /// Returns once a datum of the set has run for long.
    pub(crate) async fn long_run(&self) {
        while !self
            .state()
            .running
            .values()
            .any(|began| began.elapsed() >= LONG)
        {
            sleep(LOOK_EVERY).await;
        }
    }

    /// The verdict of a datum in the ledger.
    pub(super) async fn committed(
        &self,
        index: u64,
        ledger: &Ledger,
    ) -> Result<Option<Verdict>, StoreError> {
        let mut log = self.log.lock().await;
        ledger.read_on(&mut log).await?;
        match log.verdict(index) {
            Some(verdict) => Ok(Some(verdict.clone())),
            // Sealed, or taken over from an earlier job before the segment was cut.
            None => ledger.committed_alone(self.job, index).await,
        }
    }

    /// Commits a verdict together with further verdicts of the set. The first verdict of the datum counts. Dropping the future does not
    /// delay other commits.
    pub(super) async fn commit(
        &self,
        verdict: Verdict,
        ledger: &Ledger,
    ) -> Result<SetVerdict, StoreError> {
        loop {
            let mut committed = self.put(verdict.clone());
            let _committing = self.committing.lock().await;
            match committed.try_recv() {
                Ok(committed) => return committed,
                Err(TryRecvError::Empty) => {
                    self.until_due().await;
                    self.commit_all(ledger).await;
                    if let Ok(committed) = committed.try_recv() {
                        return committed;
                    }
                }
                // The task that committed was dropped meanwhile.
                Err(TryRecvError::Closed) => {}
            }
        }
    }

    fn put(&self, verdict: Verdict) -> oneshot::Receiver<Result<SetVerdict, StoreError>> {
        let (committed, receiver) = oneshot::channel();
        let mut state = self.state();
        if state.waiting.is_empty() {
            state.since = Instant::now();
        }
        state.is_urgent |= verdict.state == VerdictState::Failed;
        state.waiting.push(WaitingVerdict { verdict, committed });
        drop(state);
        self.changed.notify_one();
        receiver
    }

    /// Waits until the waiting verdicts are to be committed.
    async fn until_due(&self) {
        let deadline = self.state().since + LONGEST_WAIT;
        let due = async {
            while !self.state().is_due() {
                self.changed.notified().await;
            }
        };
        let _ = timeout_at(deadline, due).await;
    }

    async fn commit_all(&self, ledger: &Ledger) {
        let waiting = {
            let mut state = self.state();
            state.is_urgent = false;
            std::mem::take(&mut state.waiting)
        };
        let (verdicts, senders): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .map(|waiting| (waiting.verdict, waiting.committed))
            .unzip();
        let mut log = self.log.lock().await;
        // A receiver is gone if its datum was cut short.
        match ledger.commit_set(&mut log, verdicts).await {
            Ok(committed) => {
                for (sender, committed) in senders.into_iter().zip(committed) {
                    let _ = sender.send(Ok(committed));
                }
            }
            Err(error) => {
                for sender in senders {
                    let _ = sender.send(Err(self.repeated(&error)));
                }
            }
        }
    }

    /// The trouble of a commit, repeated for each datum.
    fn repeated(&self, error: &StoreError) -> StoreError {
        StoreError::Unavailable {
            key: layout::set_commit(self.job, self.first, 0),
            source: with_causes(error).into(),
        }
    }

    fn state(&self) -> MutexGuard<'_, SetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SetState {
    /// True if all unfinished datums wait, or a verdict must not wait.
    fn is_due(&self) -> bool {
        self.is_urgent || self.waiting.len() >= self.unfinished
    }
}

impl Drop for SetRun<'_> {
    fn drop(&mut self) {
        self.set.state().running.remove(&self.index);
    }
}

impl Drop for SetMember<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.unfinished = state.unfinished.saturating_sub(1);
        drop(state);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use drover_shared::ledger::Segment;
    use drover_shared::store::Store;
    use drover_shared::wire::{Event, Message, decode};
    use futures::FutureExt;
    use futures::future::join_all;

    use super::*;

    fn verdict(index: u64, state: VerdictState) -> Verdict {
        let ended = include_bytes!("../../../shared/tests/wire/v1/report-ended-success.json");
        let Ok(Message::Reports(mut reports)) = decode(ended) else {
            panic!("it is a report");
        };
        let Event::Ended { verdict, .. } = reports.remove(0).event else {
            panic!("it is a verdict");
        };
        Verdict {
            index,
            state,
            started: jiff::Timestamp::now(),
            ..*verdict
        }
    }

    fn success(index: u64) -> Verdict {
        verdict(index, VerdictState::Success)
    }

    async fn records(ledger: &Ledger, job: JobId) -> usize {
        let names = ledger.store().names(&layout::commit_shard(job, 0)).await;
        names.unwrap().len()
    }

    fn begin(count: usize) -> (Ledger, JobId, SetCommits) {
        let job = JobId::generate();
        let ledger = Ledger::new(Store::in_memory());
        (ledger, job, SetCommits::new(job, 0, count))
    }

    #[tokio::test(start_paused = true)]
    async fn the_verdicts_of_a_set_are_one_commit() {
        let (ledger, job, set) = begin(4);
        let begun = Instant::now();
        let commits = (0..4).map(|index| set.commit(success(index), &ledger));
        let committed = join_all(commits).await;
        assert!(
            committed
                .iter()
                .all(|committed| committed.as_ref().unwrap().first)
        );
        assert_eq!(records(&ledger, job).await, 1);
        assert_eq!(begun.elapsed(), Duration::ZERO, "none waits in vain");
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_waits_for_half_a_second_and_what_is_left_is_committed_later() {
        let (ledger, job, set) = begin(2);
        let begun = Instant::now();
        set.commit(success(1), &ledger).await.unwrap();
        assert_eq!(begun.elapsed(), LONGEST_WAIT);
        let member = set.member();
        drop(member);
        set.commit(success(0), &ledger).await.unwrap();
        assert_eq!(begun.elapsed(), LONGEST_WAIT, "it was the last one");
        let segment = Segment { first: 0, count: 2 };
        let all = ledger.verdicts(job, segment).await.unwrap();
        assert_eq!((all.len(), records(&ledger, job).await), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_does_not_wait_nor_do_others_with_it() {
        let (ledger, job, set) = begin(9);
        let begun = Instant::now();
        let mut success = pin!(set.commit(success(0), &ledger));
        assert!(success.as_mut().now_or_never().is_none());
        let failed = set.commit(verdict(1, VerdictState::Failed), &ledger);
        let (success, failed) = futures::future::join(success, failed).await;
        assert!(success.unwrap().first && failed.unwrap().first);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(records(&ledger, job).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_datum_that_leaves_keeps_no_other_waiting() {
        let (ledger, _, set) = begin(2);
        let begun = Instant::now();
        let leaving = set.member();
        let mut stays = pin!(set.commit(success(0), &ledger));
        assert!(stays.as_mut().now_or_never().is_none());
        drop(leaving);
        stays.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_datum_that_runs_for_a_second_is_long() {
        let (_, _, set) = begin(2);
        let short = set.run(0);
        tokio::time::advance(LONG / 2).await;
        drop(short);
        let began = Instant::now();
        let _long = set.run(1);
        set.long_run().await;
        assert_eq!(began.elapsed(), LONG);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_commit_takes_no_other_verdict_along() {
        let (ledger, job, set) = begin(3);
        let mut committing = Box::pin(set.commit(success(0), &ledger));
        let mut other = pin!(set.commit(success(1), &ledger));
        assert!(committing.as_mut().now_or_never().is_none());
        assert!(other.as_mut().now_or_never().is_none());
        drop(committing);
        assert!(other.await.unwrap().first);
        let found = set.committed(1, &ledger).await.unwrap();
        assert_eq!(found.map(|verdict| verdict.index), Some(1));
        assert_eq!(records(&ledger, job).await, 1);
    }
}
