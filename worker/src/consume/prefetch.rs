//! The prefetch: how many messages a worker holds.
//!
//! With datums of a few milliseconds, a worker that holds only its next few messages waits for the broker most of the
//! time: for the confirm of a report, for the next delivery. The prefetch grows then. A longer datum is better left in
//! the queue, where an idle worker can take it.

use std::time::Duration;

use crate::config::Settings;

/// The interval at which the prefetch is adapted.
pub(crate) const WINDOW: Duration = Duration::from_millis(250);

/// Messages per slot and window from which on datums count as short: 64 a second.
const SHORT: u64 = 16;

/// Messages per slot and window below which datums no longer count as short: 16 a second.
const LONG: u64 = 4;

/// Additional messages per slot while datums are short: half a second of work at the rate of `SHORT`.
pub(crate) const FURTHER: u16 = 32;

/// How many messages a worker holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Prefetch {
    /// One running datum per slot, plus the datums staged ahead.
    Usual,
    /// More messages than can be staged.
    Further,
}

impl Prefetch {
    /// The prefetch after a window in which `done` messages were acked by `slots` slots.
    pub(crate) fn next(self, done: u64, slots: u16) -> Self {
        let slots = u64::from(slots);
        match self {
            Self::Usual if done >= SHORT * slots => Self::Further,
            Self::Further if done < LONG * slots => Self::Usual,
            same => same,
        }
    }

    /// The number of messages to hold.
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
    fn the_prefetch_grows_while_datums_are_short() {
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
            assert_eq!(now.next(done, slots), then, "{now:?} {done} {slots}");
        }
    }
}
