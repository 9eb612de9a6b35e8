//! Kills of the kernel for want of memory, of any process of the machine or the container.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Files with lines `oom_kill N`: of the machine, and of the container.
const COUNTS: [&str; 3] = [
    "/proc/vmstat",
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
];

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

fn count() -> u64 {
    let texts = COUNTS
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    texts.map(|text| killed(&text)).fold(0, u64::saturating_add)
}

fn killed(text: &str) -> u64 {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("oom_kill "));
    lines
        .find_map(|number| number.trim().parse().ok())
        .unwrap_or(0)
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

    #[test]
    fn counts_are_read_from_their_line() {
        assert_eq!(killed("low 0\noom 3\noom_kill 5\noom_group_kill 1\n"), 5);
        assert_eq!(killed("nr_free_pages 8\n"), 0);
    }
}
