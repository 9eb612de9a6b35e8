//! Pure: which published datums have lost their message.
//!
//! A message may be lost in many ways: the queue was purged or deleted by hand, or by a frozen leader; a policy let the
//! queue expire. The datum of a lost message is outstanding, the queue is empty, and no worker holds the datum. Such a
//! datum is a suspect. After two looks in a row with the same suspects the workers are asked; the wait between the looks
//! leaves time to messages on their way.

use std::time::Duration;

use drover_shared::datum::IndexRanges;
use tokio::time::Instant;

/// The holder of a datum is asked again after the time, as the worker may have died with the message.
const HELD_FOR: Duration = Duration::from_secs(30);

/// How long workers without an answer may hold datums: frozen workers, noticed by the broker within three heartbeats of
/// ten seconds, and workers of an older Drover. Doubled each time, as an older Drover never answers.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// Answers of the workers to an inquiry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Holdings {
    /// Ready messages in the queue, before or after the inquiry.
    pub(crate) ready: u64,
    /// True if every consumer of the queue has answered.
    pub(crate) is_complete: bool,
    /// Datums in the hands of workers.
    pub(crate) held: IndexRanges,
}

impl Holdings {
    /// The broker did not answer: messages may be ready, and no holder is known.
    pub(crate) fn unknown() -> Self {
        Self {
            ready: 1,
            is_complete: false,
            held: IndexRanges::default(),
        }
    }
}

/// The published datums of a job, and the knowledge about their messages.
#[derive(Debug)]
pub(crate) struct MissingDatums {
    /// Datums with a message confirmed by the broker or held by a worker at the beginning.
    published: IndexRanges,
    /// Datums held by workers at the last complete inquiry.
    held: IndexRanges,
    held_at: Instant,
    /// Outstanding datums neither ready nor held at the last look.
    suspects: IndexRanges,
    /// Since when workers have not answered.
    unanswered_since: Option<Instant>,
    answer_timeout: Duration,
}

impl MissingDatums {
    /// No datum is published yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            published: IndexRanges::default(),
            held: IndexRanges::default(),
            held_at: now,
            suspects: IndexRanges::default(),
            unanswered_since: None,
            answer_timeout: ANSWER_TIMEOUT,
        }
    }

    /// Notes datums whose message the broker has confirmed.
    pub(crate) fn note_published(&mut self, datums: &IndexRanges) {
        self.published.extend(datums);
    }

    /// True if all `outstanding` datums were published.
    pub(crate) fn is_all_published(&self, outstanding: &IndexRanges) -> bool {
        outstanding.difference(&self.published).is_empty()
    }

    /// Notes the datums in the hands of workers as a leader begins.
    pub(crate) fn note_held(&mut self, holdings: &Holdings, now: Instant) {
        self.note_published(&holdings.held);
        self.held = holdings.held.clone();
        self.held_at = now;
    }

    /// Judges a look at the queue with `ready` messages. True if the workers must be asked for the suspects.
    pub(crate) fn look(&mut self, ready: u64, outstanding: &IndexRanges, now: Instant) -> bool {
        if ready > 0 {
            self.clear_suspects();
            return false;
        }
        if now.duration_since(self.held_at) > HELD_FOR {
            self.held = IndexRanges::default();
        }
        let unknown = self.published.intersection(outstanding);
        let unknown = unknown.difference(&self.held);
        let twice = unknown.intersection(&self.suspects);
        let must_ask = !twice.is_empty();
        self.suspects = if must_ask { twice } else { unknown };
        must_ask
    }

    /// Judges the answers to an inquiry. Returns the datums to be published again, which count as published once
    /// [noted](Self::note_published).
    pub(crate) fn judge(
        &mut self,
        holdings: &Holdings,
        outstanding: &IndexRanges,
        now: Instant,
    ) -> IndexRanges {
        if holdings.ready > 0 {
            self.clear_suspects();
            return IndexRanges::default();
        }
        let missing = self.suspects.intersection(outstanding);
        let missing = missing.difference(&holdings.held);
        if holdings.is_complete {
            self.held = holdings.held.clone();
            self.held_at = now;
            self.answer_timeout = ANSWER_TIMEOUT;
        } else {
            let since = *self.unanswered_since.get_or_insert(now);
            if now.duration_since(since) < self.answer_timeout {
                self.suspects = missing;
                return IndexRanges::default();
            }
            self.answer_timeout = self.answer_timeout.saturating_mul(2);
        }
        self.clear_suspects();
        self.published = self.published.difference(&missing);
        missing
    }

    fn clear_suspects(&mut self) {
        self.suspects = IndexRanges::default();
        self.unanswered_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_secs(2);

    fn set(indexes: &[u64]) -> IndexRanges {
        indexes.iter().copied().collect()
    }

    fn answers(held: &[u64], is_complete: bool) -> Holdings {
        Holdings {
            ready: 0,
            is_complete,
            held: set(held),
        }
    }

    fn published(indexes: &[u64]) -> (MissingDatums, Instant) {
        let now = Instant::now();
        let mut missing = MissingDatums::new(now);
        missing.note_published(&set(indexes));
        (missing, now)
    }

    #[test]
    fn a_datum_that_is_twice_neither_ready_nor_held_is_published_again() {
        let (mut missing, now) = published(&[0, 1, 2, 3]);
        let outstanding = set(&[1, 2, 3, 4]);
        assert!(!missing.look(0, &outstanding, now), "it may be on its way");
        assert!(missing.look(0, &outstanding, now + LOOK));
        let again = missing.judge(&answers(&[2], true), &outstanding, now + LOOK);
        assert_eq!(again, set(&[1, 3]), "4 is not published yet, 2 is held");
        assert!(!missing.look(0, &outstanding, now + LOOK * 2));
        assert!(
            !missing.look(0, &outstanding, now + LOOK * 3),
            "they are on their way again"
        );
        missing.note_published(&again);
        assert!(!missing.look(0, &outstanding, now + LOOK * 4));
        assert!(missing.look(0, &outstanding, now + LOOK * 5));
    }

    #[test]
    fn with_ready_messages_nothing_is_missing() {
        let (mut missing, now) = published(&[0, 1]);
        let outstanding = set(&[0, 1]);
        assert!(!missing.look(0, &outstanding, now));
        assert!(!missing.look(1, &outstanding, now));
        assert!(!missing.look(0, &outstanding, now), "the count begins anew");
        assert!(missing.look(0, &outstanding, now));
        let came_back = Holdings {
            ready: 1,
            ..answers(&[], true)
        };
        assert!(missing.judge(&came_back, &outstanding, now).is_empty());
    }

    #[test]
    fn short_datums_in_a_row_are_no_suspects() {
        let (mut missing, now) = published(&(0..100).collect::<Vec<_>>());
        for index in 0..99 {
            assert!(!missing.look(0, &set(&[index]), now), "datum {index}");
        }
    }

    #[test]
    fn a_held_datum_is_asked_for_again_after_a_while() {
        let (mut missing, now) = published(&[0]);
        let outstanding = set(&[0]);
        missing.look(0, &outstanding, now);
        assert!(missing.look(0, &outstanding, now));
        assert!(
            missing
                .judge(&answers(&[0], true), &outstanding, now)
                .is_empty()
        );
        for look in 1..=15 {
            assert!(!missing.look(0, &outstanding, now + LOOK * look));
        }
        assert!(!missing.look(0, &outstanding, now + LOOK * 16));
        assert!(missing.look(0, &outstanding, now + LOOK * 17));
    }

    #[test]
    fn workers_that_do_not_answer_are_waited_for_longer_and_longer() {
        let (mut missing, now) = published(&[0, 1]);
        let outstanding = set(&[0, 1]);
        let mut again_at = Vec::new();
        for look in 0..200 {
            let now = now + LOOK * look;
            if missing.look(0, &outstanding, now) {
                let again = missing.judge(&answers(&[1], false), &outstanding, now);
                if !again.is_empty() {
                    assert_eq!(again, set(&[0]));
                    missing.note_published(&again);
                    again_at.push((LOOK * look).as_secs());
                }
            }
        }
        assert_eq!(again_at, [62, 186]);
    }

    #[test]
    fn datums_that_workers_held_at_the_beginning_count_as_published() {
        let now = Instant::now();
        let mut missing = MissingDatums::new(now);
        missing.note_held(&answers(&[5], true), now);
        let (outstanding, later) = (set(&[5, 6]), now + HELD_FOR * 2);
        assert!(!missing.look(0, &outstanding, now));
        assert!(!missing.look(0, &outstanding, later));
        assert!(missing.look(0, &outstanding, later));
        let again = missing.judge(&answers(&[], true), &outstanding, later);
        assert_eq!(again, set(&[5]));
    }
}
