//! The files of the memory controller, by the version of control groups.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A version of the memory controller. Both count the same, in files of different names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    One,
    Two,
}

/// Longest content of a file of the controller.
const LONGEST: usize = 4096;

impl Version {
    /// The version of the controller in the directory of a group; none if memory is not counted there.
    pub(super) fn of(directory: &Path) -> Option<Self> {
        let has = |name: &str| directory.join(name).exists();
        let versions = [Self::One, Self::Two].into_iter();
        let mut matching = versions.filter(|version| has(version.usage()) && has("memory.stat"));
        matching.next()
    }

    /// Memory in use, caches included.
    pub(super) fn usage(self) -> &'static str {
        match self {
            Self::One => "memory.usage_in_bytes",
            Self::Two => "memory.current",
        }
    }

    /// The most memory in use since the last write to the file.
    pub(super) fn peak(self) -> &'static str {
        match self {
            Self::One => "memory.max_usage_in_bytes",
            Self::Two => "memory.peak",
        }
    }

    /// The limit.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Self::One => "memory.limit_in_bytes",
            Self::Two => "memory.max",
        }
    }

    /// Counts of events, `oom_kill` among them.
    pub(super) fn events(self) -> &'static str {
        match self {
            Self::One => "memory.oom_control",
            Self::Two => "memory.events",
        }
    }

    /// The value of the limit for no limit.
    pub(super) fn no_limit(self) -> &'static str {
        match self {
            Self::One => "-1",
            Self::Two => "max",
        }
    }

    /// Of the text of `memory.stat`: the memory that the kernel cannot take back, in bytes.
    pub(super) fn held(self, stat: &str) -> u64 {
        let [anonymous, shared] = match self {
            Self::One => ["total_rss", "total_shmem"],
            Self::Two => ["anon", "shmem"],
        };
        keyed_number(stat, anonymous).saturating_add(keyed_number(stat, shared))
    }

    /// Of the text of `memory.stat`: cached files, which the kernel takes back when memory is short, in bytes.
    pub(super) fn cached(self, stat: &str) -> u64 {
        let [files, shared] = match self {
            Self::One => ["total_cache", "total_shmem"],
            Self::Two => ["file", "shmem"],
        };
        keyed_number(stat, files).saturating_sub(keyed_number(stat, shared))
    }
}

/// The number behind a key in lines of `key number`, as the kernel writes them; 0 if it is missing.
pub(crate) fn keyed_number(text: &str, key: &str) -> u64 {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let mut matching = lines.filter(|(name, _)| *name == key);
    matching
        .find_map(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// The content of an open file of the controller, from its beginning.
pub(super) fn text(file: &File) -> Option<String> {
    let mut bytes = [0; LONGEST];
    let length = file.read_at(&mut bytes, 0).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

/// The content of a file of the controller.
pub(super) fn text_of(directory: &Path, name: &str) -> Option<String> {
    fs::read_to_string(directory.join(name)).ok()
}
