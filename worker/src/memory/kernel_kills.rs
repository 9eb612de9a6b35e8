//! Kills of the kernel for want of memory, of any process of the machine or the container.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::runner::{GroupUsage, keyed_number};

/// The counts of the machine.
const MACHINE: &str = "/proc/vmstat";

/// When the kernel last killed a process for want of memory.
#[derive(Debug, Default)]
pub(super) struct KernelKills(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    count: Option<u64>,
    last: Option<Instant>,
}

impl KernelKills {
    /// Looks at the counts, so that later kills are noticed.
    pub(super) fn look(&self) {
        self.note(count(), Instant::now());
    }

    /// True if the kernel killed a process from the moment on, as far as can be seen.
    pub(super) fn since(&self, moment: Instant) -> bool {
        self.look();
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.last.is_some_and(|last| last >= moment)
    }

    fn note(&self, count: u64, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.count.is_some_and(|known| count > known) {
            state.last = Some(now);
        }
        state.count = Some(count);
    }
}

/// Kills on the machine and in the container, as far as they are counted.
fn count() -> u64 {
    let machine = fs::read_to_string(MACHINE).unwrap_or_default();
    let container = GroupUsage::of_container();
    let of_container = container.and_then(GroupUsage::kills);
    keyed_number(&machine, "oom_kill").saturating_add(of_container.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_kill_is_noticed_once_the_count_rises() {
        let kills = KernelKills::default();
        let begun = Instant::now();
        let later = |seconds| begun + Duration::from_secs(seconds);
        let last = |kills: &KernelKills| kills.0.lock().unwrap().last;
        kills.note(7, later(1));
        assert_eq!(last(&kills), None, "earlier kills do not count");
        kills.note(7, later(2));
        assert_eq!(last(&kills), None);
        kills.note(8, later(3));
        kills.note(8, later(4));
        assert_eq!(last(&kills), Some(later(3)));
    }
}
