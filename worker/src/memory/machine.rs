//! The memory of the machine, or of the control group that the worker may use: how much there is, how much is left.

use std::fs;

use super::tree::kibibytes;
use crate::runner::GroupUsage;

/// The least part of the memory that is left to the system, as a divisor, and its least and largest size in bytes.
const RESERVED_PART: u64 = 20;
const LEAST_RESERVE: u64 = 256 << 20;
const LARGEST_RESERVE: u64 = 4 << 30;

/// The least memory that must be available, as a divisor of all memory.
const FLOOR_PART: u64 = 50;
const LEAST_FLOOR: u64 = 16 << 20;
const LARGEST_FLOOR: u64 = 1 << 30;

/// The floor is this many times as high while processes stall for memory.
const STALLED: u64 = 5;

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
        Some(match Self::of_container() {
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

    /// The memory of the container; none without a limit.
    fn of_container() -> Option<Self> {
        let group = GroupUsage::of_container()?;
        let total = group.limit()?;
        Some(Self {
            total,
            available: group.available(total)?,
            swap: 0,
        })
    }

    /// The budget of a worker that was given none: what is available, less a reserve for the system.
    pub(crate) fn budget(&self) -> u64 {
        let reserve = (self.total / RESERVED_PART).clamp(LEAST_RESERVE, LARGEST_RESERVE);
        self.available - reserve.min(self.available / 4)
    }

    /// Memory that commands can still have. Swap space counts, unless processes stall for memory: they wait for the disk.
    pub(crate) fn left(&self, is_stalled: bool) -> u64 {
        let swap = if is_stalled { 0 } else { self.swap };
        self.available.saturating_add(swap)
    }

    /// Memory is short when less than this is left: more while processes stall for memory.
    pub(crate) fn floor(&self, is_stalled: bool) -> u64 {
        let floor = (self.total / FLOOR_PART).clamp(LEAST_FLOOR, LARGEST_FLOOR);
        if is_stalled {
            floor.saturating_mul(STALLED)
        } else {
            floor
        }
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
    fn a_machine_whose_processes_stall_is_short_of_memory_sooner() {
        let memory = MachineMemory {
            total: 10 * GB,
            available: GB / 2,
            swap: 50 * GB,
        };
        for (is_stalled, is_short) in [(false, false), (true, true)] {
            let left = memory.left(is_stalled);
            assert_eq!(left <= memory.floor(is_stalled), is_short, "{left}");
        }
    }
}
