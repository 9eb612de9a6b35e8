//! The prefetch: how many messages a worker holds.
//!
//! With datums of a few milliseconds, a worker that holds only its next few messages waits for the broker most of the
//! time: for the confirm of a report, for the next delivery. The prefetch grows then. A longer datum is better left in
//! the queue, where an idle worker can take it: with datums of seconds, nothing is held ahead. A worker that serves several
//! pipelines holds nothing of a pipeline beside its running datums while other datums keep all slots busy.

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
    /// No messages, as all slots are busy: those of running datums stay in hand.
    Nothing,
    /// One running datum per slot.
    Running,
    /// One running datum per slot, plus the datums staged ahead.
    Usual,
    /// More messages than can be staged.
    Further,
}

/// Facts about a subscription and the worker, seen in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenWindow {
    /// Messages that were acked.
    pub(crate) done: u64,
    /// Slots of the worker.
    pub(crate) slots: u16,
    /// True if datums take too long to be held ahead.
    pub(crate) is_long: bool,
    /// True if no slot is free.
    pub(crate) is_busy: bool,
    /// True if the slots are shared with other pipelines, and all were busy with the same datums all the time.
    pub(crate) is_full: bool,
}

impl Prefetch {
    /// The prefetch after a window.
    pub(crate) fn next(self, seen: SeenWindow) -> Self {
        let SeenWindow { done, is_long, .. } = seen;
        let slots = u64::from(seen.slots);
        match self {
            _ if seen.is_full => Self::Nothing,
            // Running datums count for the former consumer, so a new consumer would hold as many messages in addition.
            Self::Nothing | Self::Usual if is_long && seen.is_busy => Self::Nothing,
            Self::Nothing | Self::Usual if is_long => Self::Running,
            Self::Nothing => Self::Usual,
            Self::Running if !is_long => Self::Usual,
            Self::Usual if done >= SHORT * slots => Self::Further,
            Self::Further if done < LONG * slots => Self::Usual,
            same => same,
        }
    }

    /// The number of messages to hold.
    pub(crate) fn messages(self, settings: &Settings) -> u16 {
        let ahead = match self {
            Self::Nothing => return 0,
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
        use Prefetch::{Further, Nothing, Running, Usual};
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
            let seen = |is_full| SeenWindow {
                done,
                slots,
                is_long,
                is_busy: false,
                is_full,
            };
            assert_eq!(now.next(seen(false)), then, "{now:?} {:?}", seen(false));
            assert_eq!(now.next(seen(true)), Nothing);
            let back = if is_long { Running } else { Usual };
            assert_eq!(Nothing.next(seen(false)), back);
            let busy = SeenWindow {
                is_busy: true,
                ..seen(false)
            };
            let [of_nothing, of_running] = [Nothing, Running].map(|now| now.next(busy));
            assert_eq!(of_nothing, if is_long { Nothing } else { Usual });
            assert_eq!(of_running, if is_long { Running } else { Usual });
        }
    }
}
