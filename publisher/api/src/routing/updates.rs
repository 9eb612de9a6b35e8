//! The updates from the feed to the event streams. A slow stream skips states of a subject, and never the last state.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use drover_shared::id::{JobId, PipelineName};
use tokio::sync::watch;

/// How long an update is kept for slow streams: longer than a client may leave its answer unread.
const KEPT: Duration = Duration::from_secs(60);

/// The subject of an update; a new update replaces the earlier one of the same subject.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Subject {
    Session,
    Job(JobId),
    Pipeline(PipelineName),
}

/// An update for all event streams.
#[derive(Clone, Debug)]
pub(crate) enum Update {
    /// The state of the broker changed: every client gets a new `hello` event.
    Session,
    /// A job or pipeline changed: kind and data of the event.
    Resource(&'static str, Arc<str>),
}

/// The newest update of each subject, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Updates {
    kept: Mutex<KeptUpdates>,
    /// The number of the newest update.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct KeptUpdates {
    by_number: BTreeMap<u64, KeptUpdate>,
    numbers: HashMap<Subject, u64>,
}

#[derive(Debug)]
struct KeptUpdate {
    subject: Subject,
    update: Update,
    sent: Instant,
}

impl Default for Updates {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            newest: watch::Sender::new(0),
        }
    }
}

impl Updates {
    /// Subscribes to updates from now on.
    pub(crate) fn subscribe(&self) -> UpdateSubscription {
        let newest = self.newest.subscribe();
        let seen = *newest.borrow();
        UpdateSubscription { seen, newest }
    }

    pub(crate) fn has_subscribers(&self) -> bool {
        self.newest.receiver_count() > 0
    }

    pub(crate) fn send(&self, subject: Subject, update: Update) {
        let mut kept = self.kept();
        let number = *self.newest.borrow() + 1;
        kept.replace(number, subject, update);
        self.newest.send_replace(number);
    }

    /// The next update of the subscription. Cancel-safe.
    pub(crate) async fn next(&self, subscription: &mut UpdateSubscription) -> Option<Update> {
        loop {
            let newest = *subscription.newest.borrow_and_update();
            if let Some((number, update)) = self.kept().after(subscription.seen) {
                subscription.seen = number;
                return Some(update);
            }
            subscription.seen = newest;
            subscription.newest.changed().await.ok()?;
        }
    }

    fn kept(&self) -> MutexGuard<'_, KeptUpdates> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptUpdates {
    fn replace(&mut self, number: u64, subject: Subject, update: Update) {
        let sent = Instant::now();
        while let Some(oldest) = self.by_number.first_entry()
            && sent.duration_since(oldest.get().sent) > KEPT
        {
            self.numbers.remove(&oldest.remove().subject);
        }
        if let Some(earlier) = self.numbers.insert(subject.clone(), number) {
            self.by_number.remove(&earlier);
        }
        let kept = KeptUpdate {
            subject,
            update,
            sent,
        };
        self.by_number.insert(number, kept);
    }

    /// The first update with a greater number.
    fn after(&self, number: u64) -> Option<(u64, Update)> {
        let (number, kept) = self.by_number.range(number + 1..).next()?;
        Some((*number, kept.update.clone()))
    }
}

/// The place of an event stream among the updates.
#[derive(Debug)]
pub(crate) struct UpdateSubscription {
    /// The number of the last returned update.
    seen: u64,
    newest: watch::Receiver<u64>,
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn job(state: usize) -> Update {
        Update::Resource("job", state.to_string().into())
    }

    /// The data of all updates that are there.
    fn told(updates: &Updates, subscription: &mut UpdateSubscription) -> Vec<String> {
        let next = || updates.next(subscription).now_or_never().flatten();
        std::iter::from_fn(next)
            .map(|update| match update {
                Update::Session => "session".to_owned(),
                Update::Resource(_, data) => data.to_string(),
            })
            .collect()
    }

    #[test]
    fn a_stream_that_is_read_slowly_gets_the_last_state_of_each_subject_in_order() {
        let updates = Updates::default();
        updates.send(Subject::Session, Update::Session);
        let (mut slow, mut prompt) = (updates.subscribe(), updates.subscribe());
        let (early, late) = (JobId::generate(), JobId::generate());
        let mut heard = Vec::new();
        for state in 0..1000 {
            let subject = if state == 500 { early } else { late };
            updates.send(Subject::Job(subject), job(state));
            heard.extend(told(&updates, &mut prompt));
        }
        assert_eq!(heard.len(), 1000);
        assert_eq!(told(&updates, &mut slow), ["500", "999"]);
        assert!(told(&updates, &mut slow).is_empty());
        updates.send(Subject::Session, Update::Session);
        assert_eq!(told(&updates, &mut slow), ["session"]);
    }

    #[test]
    fn what_is_over_is_forgotten_after_a_while() {
        let mut kept = KeptUpdates::default();
        kept.replace(1, Subject::Session, Update::Session);
        if let Some(mut first) = kept.by_number.first_entry() {
            first.get_mut().sent -= KEPT * 2;
        }
        kept.replace(2, Subject::Job(JobId::generate()), job(1));
        assert_eq!((kept.by_number.len(), kept.numbers.len()), (1, 1));
        assert_eq!(kept.after(0).map(|(number, _)| number), Some(2));
    }
}
