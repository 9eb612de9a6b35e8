//! The prefetch: how many messages a worker holds.
//!
//! With datums of a few milliseconds, a worker that holds only its next few messages waits for the broker most of the
//! time: for the confirm of a report, for the next delivery. The prefetch grows then. A longer datum is better left in
//! the queue, where an idle worker can take it: with datums of seconds, nothing is held ahead.

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
    /// One running datum per slot.
    Running,
    /// One running datum per slot, plus the datums staged ahead.
    Usual,
    /// More messages than can be staged.
    Further,
}

impl Prefetch {
    /// The prefetch after a window in which `done` messages were acked by `slots` slots. `is_long` is true if datums take
    /// too long to be held ahead.
    pub(crate) fn next(self, done: u64, slots: u16, is_long: bool) -> Self {
        let slots = u64::from(slots);
        match self {
            Self::Usual if is_long => Self::Running,
            Self::Running if !is_long => Self::Usual,
            Self::Usual if done >= SHORT * slots => Self::Further,
            Self::Further if done < LONG * slots => Self::Usual,
            same => same,
        }
    }

    /// The number of messages to hold.
    pub(crate) fn messages(self, settings: &Settings) -> u16 {
        let ahead = match self {
            Self::Running => 0,
            Self::Usual => settings.look_ahead,
            Self::Further => settings.look_ahead.saturating_add(settings.further),
        };
        let each = ahead.saturating_add(1);
        settings.slots.get().saturating_mul(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefetch_grows_while_datums_are_short_and_shrinks_while_they_are_long() {
        use Prefetch::{Further, Running, Usual};
        let rows = [
            (Usual, 0, 1, false, Usual),
            (Usual, 15, 1, false, Usual),
            (Usual, 16, 1, false, Further),
            (Usual, 31, 2, false, Usual),
            (Usual, 32, 2, false, Further),
            (Usual, 0, 1, true, Running),
            (Running, 0, 1, true, Running),
            (Running, 32, 1, false, Usual),
            (Further, 32, 2, false, Further),
            (Further, 8, 2, true, Further),
            (Further, 7, 2, false, Usual),
            (Further, 0, 1, true, Usual),
        ];
        for (now, done, slots, is_long, then) in rows {
            let next = now.next(done, slots, is_long);
            assert_eq!(next, then, "{now:?} {done} {slots} {is_long}");
        }
    }
}
