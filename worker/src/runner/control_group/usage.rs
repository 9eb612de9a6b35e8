//! The memory of a slot's group, as the worker sees it while commands run.

use std::path::{Path, PathBuf};

use super::files::{Version, text_of, value};

/// The memory of a slot's group.
#[derive(Clone, Debug)]
pub(crate) struct GroupUsage {
    version: Version,
    directory: PathBuf,
}

impl GroupUsage {
    /// The usage of the first directory whose hierarchy counts memory.
    pub(in crate::runner) fn find(directories: &[PathBuf]) -> Option<Self> {
        directories.iter().find_map(|directory| Self::of(directory))
    }

    fn of(directory: &Path) -> Option<Self> {
        Some(Self {
            version: Version::of(directory)?,
            directory: directory.to_owned(),
        })
    }

    /// Bytes of memory that the kernel cannot take back; none if the group is gone.
    pub(crate) fn held(&self) -> Option<u64> {
        Some(self.version.held(&text_of(&self.directory, "memory.stat")?))
    }

    /// Processes of the group that the kernel killed for want of memory, since the group was made.
    pub(crate) fn kills(&self) -> Option<u64> {
        let events = text_of(&self.directory, self.version.events())?;
        Some(value(&events, "oom_kill"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn memory_that_is_held_is_anonymous_or_shared() {
        let rows = [
            (
                "memory.max_usage_in_bytes",
                "rss 1\ntotal_rss 40\ntotal_shmem 2\ntotal_cache 900\n",
            ),
            ("memory.peak", "anon 40\nfile 900\nshmem 2\n"),
        ];
        for (peak, stat) in rows {
            let group = tempfile::tempdir().unwrap();
            fs::write(group.path().join(peak), "0").unwrap();
            fs::write(group.path().join("memory.stat"), stat).unwrap();
            let usage = GroupUsage::find(&[group.path().to_owned()]).unwrap();
            assert_eq!(usage.held(), Some(42), "{peak}");
        }
    }
}
