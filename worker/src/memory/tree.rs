//! The processes of commands and their memory, from `/proc`.
//!
//! Many kernels do not list the children of a process, so one look reads all processes of the machine, for all slots.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::LazyLock;

/// Generations of Drover's own processes from the ancestor of a slot on: guard, supervisor, server, spawner.
const OWN_GENERATIONS: u32 = 4;

/// Trees with less resident memory are not looked at more closely, in bytes.
const SMALL: u64 = 64 << 20;

/// Bytes of a page, as the kernel says of a mapping of this process.
static PAGE: LazyLock<u64> = LazyLock::new(|| {
    let mappings = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    kibibytes(&mappings, "KernelPageSize:").unwrap_or(4096)
});

/// A process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Process {
    number: u32,
    parent: u32,
    /// Resident memory in bytes.
    resident: u64,
}

/// All processes of the machine at one moment.
#[derive(Debug, Default)]
pub(super) struct ProcessTable {
    children: HashMap<u32, Vec<Process>>,
}

impl ProcessTable {
    /// The current processes that the worker may see.
    pub(super) fn read() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbered = entries.filter(|it| it.file_name().as_bytes()[0].is_ascii_digit());
        let stats = numbered.filter_map(|it| fs::read(it.path().join("stat")).ok());
        let page = *PAGE;
        Self::of(stats.filter_map(|stat| process(&String::from_utf8_lossy(&stat), page)))
    }

    fn of(processes: impl Iterator<Item = Process>) -> Self {
        let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
        for process in processes {
            children.entry(process.parent).or_default().push(process);
        }
        Self { children }
    }

    /// The processes of the command in the slot with the ancestor.
    fn command(&self, ancestor: u32) -> Vec<Process> {
        let mut generation = vec![ancestor];
        let mut found = Vec::new();
        for depth in 1.. {
            let next: Vec<Process> = generation
                .iter()
                .filter_map(|parent| self.children.get(parent))
                .flatten()
                .copied()
                .collect();
            if next.is_empty() {
                break;
            }
            generation = next.iter().map(|process| process.number).collect();
            if depth >= OWN_GENERATIONS {
                found.extend(next);
            }
        }
        found
    }

    /// Bytes of memory that the kernel cannot take back from the command in the slot with the ancestor; as good as can be
    /// seen.
    pub(super) fn held(&self, ancestor: u32) -> u64 {
        let processes = self.command(ancestor);
        let resident = processes.iter().map(|process| process.resident).sum();
        if resident < SMALL {
            return resident;
        }
        let is_single = processes.len() == 1;
        let held = processes.iter().map(|process| {
            let closer = closer_look(process.number, is_single);
            closer.unwrap_or(process.resident)
        });
        held.sum()
    }
}

/// Memory of a process without mapped files, in bytes. Pages of several processes count in equal parts, unless the process is
/// single.
fn closer_look(number: u32, is_single: bool) -> Option<u64> {
    let (file, keys) = if is_single {
        ("status", ["RssAnon:", "RssShmem:"])
    } else {
        ("smaps_rollup", ["Pss_Anon:", "Pss_Shmem:"])
    };
    let text = fs::read_to_string(format!("/proc/{number}/{file}")).ok()?;
    let sizes = keys.map(|key| kibibytes(&text, key));
    Some(sizes[0]?.saturating_add(sizes[1]?))
}

/// The value of a line `key   12 kB`, in bytes.
pub(super) fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number.saturating_mul(1024))
}

/// The process of the text of `/proc/N/stat`, on a machine with pages of `page` bytes.
fn process(stat: &str, page: u64) -> Option<Process> {
    let (number, rest) = stat.split_once(' ')?;
    // The process name, in parentheses, may itself contain parentheses.
    let fields: Vec<&str> = rest.rsplit_once(')')?.1.split_whitespace().collect();
    let pages: u64 = fields.get(21)?.parse().ok()?;
    Some(Process {
        number: number.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        resident: pages.saturating_mul(page),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(number: u32, parent: u32, resident: u64) -> Process {
        Process {
            number,
            parent,
            resident,
        }
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "17 (a) b (c)) S 4 17 17 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 1 0 99 1000 250 18446744073709551615";
        assert_eq!(process(stat, 4096), Some(small(17, 4, 250 * 4096)));
        for damaged in ["", "17", "17 (a", "17 (a) S 4"] {
            assert_eq!(process(damaged, 4096), None, "{damaged:?}");
        }
    }

    #[test]
    fn only_the_processes_of_the_command_count() {
        let table = ProcessTable::of(
            [
                small(10, 1, 1),
                small(11, 10, 2),
                small(12, 11, 4),
                small(13, 12, 8),
                // The command, a child, and an orphan adopted by the spawner.
                small(14, 13, 16),
                small(15, 14, 32),
                small(16, 13, 64),
                // Another slot.
                small(20, 1, 1024),
            ]
            .into_iter(),
        );
        assert_eq!(table.held(10), 16 + 32 + 64);
        assert_eq!(table.held(20), 0, "nothing runs");
        assert_eq!(table.held(99), 0, "the slot is gone");
    }

    #[test]
    fn this_process_is_in_the_table() {
        let own = std::process::id();
        let table = ProcessTable::read();
        let all: Vec<_> = table.children.values().flatten().collect();
        let found = all.iter().find(|process| process.number == own).unwrap();
        assert!(found.resident > 0);
        assert!(closer_look(own, true).unwrap() > 0);
    }
}
