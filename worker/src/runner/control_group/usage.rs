//! The memory of a group: of a slot's group while commands run, or of the container.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::files::{Version, keyed_number, text_of};

/// Where the group of a container is seen inside of the container, by the version of control groups.
const CONTAINERS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"];

/// The memory of a group.
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

    /// The usage of the container; none outside of containers. On a machine with the first version, the usage of the machine.
    pub(crate) fn of_container() -> Option<&'static Self> {
        // Looked for once: the place stays while the process lives.
        static CONTAINER: OnceLock<Option<GroupUsage>> = OnceLock::new();
        let find = || CONTAINERS.iter().map(Path::new).find_map(Self::of);
        CONTAINER.get_or_init(find).as_ref()
    }

    /// The usage of the group with the directory; none if memory is not counted there.
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
        Some(keyed_number(&events, "oom_kill"))
    }

    /// The most bytes that the group may use; none without a limit.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.number(self.version.limit())
    }

    /// Bytes below the `limit` that the group can still take, without the caches that the kernel takes back.
    pub(crate) fn available(&self, limit: u64) -> Option<u64> {
        let cached = self
            .version
            .cached(&text_of(&self.directory, "memory.stat")?);
        let used = self.number(self.version.usage())?.saturating_sub(cached);
        Some(limit.saturating_sub(used))
    }

    fn number(&self, name: &str) -> Option<u64> {
        text_of(&self.directory, name)?.trim().parse().ok()
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
                "memory.usage_in_bytes",
                "rss 1\ntotal_rss 40\ntotal_shmem 2\ntotal_cache 900\n",
            ),
            ("memory.current", "anon 40\nfile 900\nshmem 2\n"),
        ];
        for (usage, stat) in rows {
            let group = tempfile::tempdir().unwrap();
            fs::write(group.path().join(usage), "0").unwrap();
            fs::write(group.path().join("memory.stat"), stat).unwrap();
            let found = GroupUsage::find(&[group.path().to_owned()]).unwrap();
            assert_eq!(found.held(), Some(42), "{usage}");
        }
    }

    #[test]
    fn the_cache_of_a_container_is_available_but_its_shared_memory_is_not() {
        let versions = [
            (
                ["memory.limit_in_bytes", "memory.usage_in_bytes"],
                "cache 1\ntotal_cache 500\ntotal_shmem 120\n",
                "9223372036854771712",
            ),
            (
                ["memory.max", "memory.current"],
                "anon 300\nfile 500\nfile_mapped 7\nshmem 120\n",
                "max",
            ),
        ];
        for ([limit, usage], stat, no_limit) in versions {
            let group = tempfile::tempdir().unwrap();
            let show = |name, text| fs::write(group.path().join(name), text).unwrap();
            show("memory.stat", stat);
            show(usage, "850\n");
            show(limit, "1000\n");
            let container = GroupUsage::of(group.path()).unwrap();
            assert_eq!(container.limit(), Some(1000), "{limit}");
            assert_eq!(
                container.available(1000),
                Some(1000 - (850 - 380)),
                "{limit}"
            );
            show(limit, no_limit);
            let least = container.limit().unwrap_or(u64::MAX);
            assert!(least > 1 << 60, "{limit}: {least}");
        }
    }
}
