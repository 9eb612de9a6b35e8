//! How far ahead messages are fetched.
//!
//! Where a datum takes a few milliseconds, a worker with only its next few messages in hand waits for the broker most of
//! the time: for the confirmation of a report, for the next delivery. So more are held then. A datum that takes longer is
//! better left in the queue, where another worker can take it.

use std::time::Duration;

use crate::config::Settings;

/// How often it is decided anew.
pub(crate) const WINDOW: Duration = Duration::from_millis(250);

/// Messages done by each slot in a window, from which on datums are short: 64 a second.
const SHORT: u64 = 16;

/// Messages done by each slot in a window, below which they are not any more: 16 a second.
const LONG: u64 = 4;

/// Messages held for each slot beyond the usual ones while datums are short; at the rate where that begins, work for
/// half a second.
pub(crate) const FURTHER: u16 = 32;

/// How far ahead messages are fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Prefetch {
    /// Those being processed, and those staged ahead.
    Usual,
    /// More than can be staged.
    Further,
}

impl Prefetch {
    /// What follows from how many messages were done in the last window, by so many slots.
    pub(crate) fn after(self, done: u64, slots: u16) -> Self {
        let slots = u64::from(slots);
        match self {
            Self::Usual if done >= SHORT * slots => Self::Further,
            Self::Further if done < LONG * slots => Self::Usual,
            same => same,
        }
    }

    /// Messages held at the same time: those being processed, those staged ahead, and more where it is wanted.
    pub(crate) fn messages(self, settings: &Settings) -> u16 {
        let further = match self {
            Self::Usual => 0,
            Self::Further => settings.further,
        };
        let each = settings
            .look_ahead
            .saturating_add(further)
            .saturating_add(1);
        settings.slots.get().saturating_mul(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_messages_are_held_while_they_are_done_quickly() {
        use Prefetch::{Further, Usual};
        let rows = [
            (Usual, 0, 1, Usual),
            (Usual, 15, 1, Usual),
            (Usual, 16, 1, Further),
            (Usual, 31, 2, Usual),
            (Usual, 32, 2, Further),
            (Further, 32, 2, Further),
            (Further, 8, 2, Further),
            (Further, 7, 2, Usual),
            (Further, 0, 1, Usual),
        ];
        for (now, done, slots, then) in rows {
            assert_eq!(now.after(done, slots), then, "{now:?} {done} {slots}");
        }
    }
}
