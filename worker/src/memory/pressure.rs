//! Pressure stall information: for how much of the time all processes waited for memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the kernel tells of the pressure: of the container, else of the machine.
const FILES: [&str; 2] = ["/sys/fs/cgroup/memory.pressure", "/proc/pressure/memory"];

/// Time over which stalls are added up.
const WINDOW: Duration = Duration::from_millis(500);

/// The part of the time from which on processes stall, as a divisor.
const STALLED_PART: u32 = 5;

/// The pressure on the memory.
#[derive(Debug, Default)]
pub(super) struct MemoryPressure {
    file: Option<PathBuf>,
    window: Option<Window>,
    is_stalled: bool,
}

/// The stalls at the begin of the window.
#[derive(Clone, Copy, Debug)]
struct Window {
    begun: Instant,
    stalled: Duration,
}

impl MemoryPressure {
    /// The pressure, as far as the kernel reports pressure.
    pub(super) fn find() -> Self {
        let mut files = FILES.iter().map(Path::new);
        Self::told_by(files.find(|file| file.exists()).map(Path::to_owned))
    }

    fn told_by(file: Option<PathBuf>) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }

    /// True if all processes waited for memory for a fifth of the last window.
    pub(super) fn is_stalled(&mut self, now: Instant) -> bool {
        let is_fresh = |window: &Window| now.duration_since(window.begun) < WINDOW;
        if self.window.as_ref().is_some_and(is_fresh) {
            return self.is_stalled;
        }
        let text = self.file.as_ref().map(fs::read_to_string);
        let stalled = text.and_then(|text| stalled(&text.ok()?));
        let Some(stalled) = stalled else {
            return false;
        };
        let window = *self.window.get_or_insert(Window {
            begun: now,
            stalled,
        });
        let length = now.duration_since(window.begun);
        if length >= WINDOW {
            self.is_stalled = stalled.saturating_sub(window.stalled) * STALLED_PART >= length;
            self.window = Some(Window {
                begun: now,
                stalled,
            });
        }
        self.is_stalled
    }
}

/// Time in which all processes waited for memory, since the start of the machine.
fn stalled(text: &str) -> Option<Duration> {
    let all = text.lines().find(|line| line.starts_with("full "))?;
    let total = all
        .split(' ')
        .find_map(|word| word.strip_prefix("total="))?;
    total.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_stall_while_they_wait_for_a_fifth_of_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.pressure");
        let show = |micros: u64| {
            let text = format!(
                "some avg10=9.00 avg60=0.00 avg300=0.00 total=99999999\nfull avg10=1.00 avg60=0.00 avg300=0.00 total={micros}\n"
            );
            fs::write(&file, text).unwrap();
        };
        let mut pressure = MemoryPressure::told_by(Some(file.clone()));
        let begun = Instant::now();
        // Milliseconds, stalls so far in microseconds, and the expected judgement.
        let rows = [
            (0, 7_000_000, false),
            (400, 7_300_000, false),
            (500, 7_300_000, true),
            (900, 7_300_000, true),
            (1_000, 7_399_000, false),
            (2_000, 7_600_000, true),
        ];
        for (at, micros, expected) in rows {
            show(micros);
            let now = begun + Duration::from_millis(at);
            assert_eq!(pressure.is_stalled(now), expected, "{at} ms");
        }
    }

    #[test]
    fn a_kernel_without_the_figures_tells_of_no_stall() {
        let now = Instant::now();
        for file in [None, Some(PathBuf::from("/dev/null"))] {
            assert!(!MemoryPressure::told_by(file).is_stalled(now));
        }
        MemoryPressure::find().is_stalled(now);
    }
}
