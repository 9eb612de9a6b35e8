//! The memory of the machine, or of the control group that the worker may use: how much there is, how much is left.

use std::fs;
use std::path::{Path, PathBuf};

use super::tree::kibibytes;

/// The least part of the memory that is left to the system, as a divisor, and its least and largest size in bytes.
const RESERVED_PART: u64 = 20;
const LEAST_RESERVE: u64 = 256 << 20;
const LARGEST_RESERVE: u64 = 4 << 30;

/// The least memory that must be available, as a divisor of all memory.
const FLOOR_PART: u64 = 50;
const LEAST_FLOOR: u64 = 16 << 20;
const LARGEST_FLOOR: u64 = 1 << 30;

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MachineMemory {
    /// All memory for the worker with the commands.
    pub(crate) total: u64,
    /// Memory that is not in use, or in use for caches only.
    pub(crate) available: u64,
    /// Free swap space.
    swap: u64,
}

impl MachineMemory {
    /// The current memory; none on a machine without the figures.
    pub(crate) fn read() -> Option<Self> {
        let machine = Self::of_meminfo(&fs::read_to_string("/proc/meminfo").ok()?)?;
        Some(match Self::of_own_group() {
            Some(group) if group.total < machine.total => Self {
                total: group.total,
                available: group.available.min(machine.available),
                swap: 0,
            },
            Some(_) | None => machine,
        })
    }

    fn of_meminfo(text: &str) -> Option<Self> {
        Some(Self {
            total: kibibytes(text, "MemTotal:")?,
            available: kibibytes(text, "MemAvailable:")?,
            swap: kibibytes(text, "SwapFree:").unwrap_or(0),
        })
    }

    /// The limit of the container, whose group is at the root of what the container sees.
    fn of_own_group() -> Option<Self> {
        let groups = [
            ("/sys/fs/cgroup", "memory.max", "memory.current", "file"),
            (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_cache",
            ),
        ];
        groups
            .into_iter()
            .find_map(|(directory, limit, usage, cache)| {
                Self::of_group(Path::new(directory), limit, usage, cache)
            })
    }

    fn of_group(directory: &Path, limit: &str, usage: &str, cache: &str) -> Option<Self> {
        let number = |name: &str| -> Option<u64> {
            let text = fs::read_to_string(directory.join(name)).ok()?;
            text.trim().parse().ok()
        };
        let total = number(limit)?;
        let stat: PathBuf = directory.join("memory.stat");
        let stat = fs::read_to_string(stat).ok()?;
        let cached = stat
            .lines()
            .find_map(|line| line.strip_prefix(cache)?.trim().parse().ok());
        let used = number(usage)?.saturating_sub(cached.unwrap_or(0));
        Some(Self {
            total,
            available: total.saturating_sub(used),
            swap: 0,
        })
    }

    /// The budget of a worker that was given none: what is available, less a reserve for the system.
    pub(crate) fn budget(&self) -> u64 {
        let reserve = (self.total / RESERVED_PART).clamp(LEAST_RESERVE, LARGEST_RESERVE);
        self.available - reserve.min(self.available / 4)
    }

    /// Memory that commands can still have, swap space included.
    pub(crate) fn left(&self) -> u64 {
        self.available.saturating_add(self.swap)
    }

    /// Memory is short when less than this is left.
    pub(crate) fn floor(&self) -> u64 {
        (self.total / FLOOR_PART).clamp(LEAST_FLOOR, LARGEST_FLOOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    #[test]
    fn the_budget_leaves_a_reserve() {
        let rows = [
            (16 * GB, 16 * GB, 16 * GB - 16 * GB / 20),
            (16 * GB, 8 * GB, 8 * GB - 16 * GB / 20),
            (2 * GB, 2 * GB, 2 * GB - LEAST_RESERVE),
            (512 << 20, 400 << 20, 300 << 20),
            (1 << 40, 1 << 40, (1 << 40) - LARGEST_RESERVE),
            (GB, 0, 0),
        ];
        for (total, available, budget) in rows {
            let memory = MachineMemory {
                total,
                available,
                swap: 9,
            };
            assert_eq!(memory.budget(), budget, "{memory:?}");
        }
    }

    #[test]
    fn the_memory_of_the_machine_is_read() {
        let text =
            "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    250 kB\nSwapFree: 7 kB\n";
        let expected = MachineMemory {
            total: 1000 << 10,
            available: 250 << 10,
            swap: 7 << 10,
        };
        assert_eq!(MachineMemory::of_meminfo(text), Some(expected));
        assert_eq!(MachineMemory::of_meminfo("MemTotal: 5"), None);
        let here = MachineMemory::read().unwrap();
        assert!(here.available <= here.total);
    }

    #[test]
    fn the_cache_of_a_container_is_available() {
        let group = tempfile::tempdir().unwrap();
        let show = |name, text| fs::write(group.path().join(name), text).unwrap();
        let read = || MachineMemory::of_group(group.path(), "memory.max", "memory.current", "file");
        show("memory.stat", "anon 300\nfile 500\nfile_mapped 7\n");
        show("memory.current", "850\n");
        show("memory.max", "max\n");
        assert_eq!(read(), None, "no limit");
        show("memory.max", "1000\n");
        let expected = MachineMemory {
            total: 1000,
            available: 650,
            swap: 0,
        };
        assert_eq!(read(), Some(expected));
    }
}
