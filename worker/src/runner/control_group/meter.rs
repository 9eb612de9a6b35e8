//! The memory of a slot's group, attempt by attempt. The server of the runner keeps the files open, because the sandbox hides
//! their directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files::{Version, keyed_number, text};

/// Peaks below this number of bytes are taken whole: the page cache in a small peak is not worth the look.
const SMALL: u64 = 32 << 20;

/// The meter of a group.
#[derive(Debug)]
pub(in crate::runner) struct GroupMeter {
    version: Version,
    peak: File,
    stat: File,
    events: File,
    limit: Option<File>,
    /// The limit in force, in bytes; `None` without one.
    limited_to: Option<u64>,
    /// The kernel's count of killed processes at the end of the last attempt.
    kills: u64,
    /// The peak before the current attempt, where the kernel cannot reset the peak.
    earlier_peak: Option<u64>,
}

/// The memory of an attempt, as the group saw it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::runner) struct GroupReading {
    /// The most memory that the kernel could not take back, in bytes; `None` if unknown.
    pub(in crate::runner) memory: Option<u64>,
    /// Processes that the kernel killed for want of memory.
    pub(in crate::runner) kills: u64,
}

impl GroupMeter {
    /// The meter of the first directory whose hierarchy counts memory; none if there is none.
    pub(in crate::runner) fn open(directories: &[PathBuf]) -> Option<Self> {
        directories.iter().find_map(|it| Self::open_in(it).ok()?)
    }

    fn open_in(directory: &Path) -> io::Result<Option<Self>> {
        let Some(version) = Version::of(directory) else {
            return Ok(None);
        };
        let read = |name| File::open(directory.join(name));
        let changed = |name| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).open(directory.join(name))
        };
        let peak = changed(version.peak()).or_else(|_| read(version.peak()))?;
        let events = read(version.events())?;
        Ok(Some(Self {
            version,
            stat: read("memory.stat")?,
            limit: changed(version.limit()).ok(),
            limited_to: None,
            kills: kills(&events),
            earlier_peak: None,
            events,
            peak,
        }))
    }

    /// Begins an attempt, which may use at most `limit` bytes.
    pub(in crate::runner) fn begin(&mut self, limit: Option<u64>) {
        // Kernels before 6.12 cannot reset the peak of the second version.
        let is_reset = self.peak.write_all_at(b"0", 0).is_ok();
        self.earlier_peak = (!is_reset).then(|| number(&self.peak)).flatten();
        if self.limited_to != limit {
            self.set_limit(limit);
        }
    }

    fn set_limit(&mut self, limit: Option<u64>) {
        let Some(file) = &self.limit else { return };
        let text = limit.map_or_else(
            || self.version.no_limit().to_owned(),
            |bytes| bytes.to_string(),
        );
        if file.write_all_at(text.as_bytes(), 0).is_ok() {
            self.limited_to = limit;
        }
    }

    /// Ends an attempt whose processes have ended.
    pub(in crate::runner) fn end(&mut self) -> GroupReading {
        let kills = kills(&self.events);
        let earlier = std::mem::replace(&mut self.kills, kills);
        GroupReading {
            memory: self.memory(),
            kills: kills.saturating_sub(earlier),
        }
    }

    fn memory(&self) -> Option<u64> {
        let peak = number(&self.peak)?;
        if self.earlier_peak.is_some_and(|earlier| earlier >= peak) {
            return None;
        }
        if peak < SMALL {
            return Some(peak);
        }
        let cached = self.version.cached(&text(&self.stat)?);
        Some(peak.saturating_sub(cached))
    }
}

fn number(file: &File) -> Option<u64> {
    text(file)?.trim().parse().ok()
}

fn kills(events: &File) -> u64 {
    keyed_number(&text(events).unwrap_or_default(), "oom_kill")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory with the files of a version, as the kernel shows them.
    struct Double {
        directory: tempfile::TempDir,
        version: Version,
    }

    impl Double {
        fn new(version: Version) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let double = Self { directory, version };
            double.show(version.usage(), "900\n");
            double.show(version.peak(), "1000\n");
            double.show(version.limit(), version.no_limit());
            double.show("memory.stat", "");
            double.kills(2);
            double
        }

        fn show(&self, name: &str, text: &str) {
            fs::write(self.directory.path().join(name), text).unwrap();
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.directory.path().join(name)).unwrap()
        }

        fn kills(&self, count: u64) {
            let text = format!("low 0\nunder_oom 0\noom 7\noom_kill {count}\noom_group_kill 9\n");
            self.show(self.version.events(), &text);
        }

        fn meter(&self) -> GroupMeter {
            let elsewhere = self.directory.path().join("elsewhere");
            let directories = [elsewhere, self.directory.path().to_owned()];
            GroupMeter::open(&directories).unwrap()
        }
    }

    #[test]
    fn the_page_cache_is_no_need_of_an_attempt() {
        let stats = [
            (
                Version::One,
                "cache 1\ntotal_cache 600000000\ntotal_shmem 100000000\n",
            ),
            (Version::Two, "anon 5\nfile 600000000\nshmem 100000000\n"),
        ];
        for (version, stat) in stats {
            let double = Double::new(version);
            let mut meter = double.meter();
            meter.begin(None);
            assert_eq!(
                double.read(version.peak()).trim_end(),
                "0000",
                "{version:?}: reset"
            );
            double.show(version.peak(), "900000000\n");
            double.show("memory.stat", stat);
            let memory = Some(400_000_000);
            assert_eq!(
                meter.end(),
                GroupReading { memory, kills: 0 },
                "{version:?}"
            );
            double.show(version.peak(), "9000\n");
            assert_eq!(meter.end().memory, Some(9000), "{version:?}: small");
        }
    }

    #[test]
    fn only_the_kills_of_the_attempt_count() {
        for version in [Version::One, Version::Two] {
            let double = Double::new(version);
            let mut meter = double.meter();
            meter.begin(None);
            double.kills(5);
            assert_eq!(meter.end().kills, 3, "{version:?}");
            meter.begin(None);
            assert_eq!(meter.end().kills, 0, "{version:?}: the next attempt");
        }
    }

    #[test]
    fn the_limit_is_written_when_it_changes() {
        for version in [Version::One, Version::Two] {
            let double = Double::new(version);
            let mut meter = double.meter();
            meter.begin(Some(5_000_000));
            assert_eq!(double.read(version.limit()), "5000000", "{version:?}");
            double.show(version.limit(), "untouched");
            meter.begin(Some(5_000_000));
            assert_eq!(double.read(version.limit()), "untouched", "{version:?}");
        }
    }

    #[test]
    fn a_peak_that_the_kernel_cannot_reset_counts_only_if_it_rose() {
        let double = Double::new(Version::Two);
        double.show("memory.peak", "5000\n");
        let mut meter = double.meter();
        meter.peak = File::open(double.directory.path().join("memory.peak")).unwrap();
        meter.begin(None);
        assert_eq!(meter.end().memory, None);
        meter.begin(None);
        double.show("memory.peak", "7000\n");
        assert_eq!(meter.end().memory, Some(7000));
    }

    #[test]
    fn a_group_that_counts_no_memory_has_no_meter() {
        let empty = tempfile::tempdir().unwrap();
        assert!(GroupMeter::open(&[empty.path().to_owned()]).is_none());
    }
}
