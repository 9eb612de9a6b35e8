//! Resources that a command used: the largest figure of all observers, since each observer misses a part.

use std::time::Duration;

use drover_shared::datum::{MemoryObserver, ResourceUsage};

use crate::runner::CommandCost;

/// Resources that a command used; `seen` is the most memory of the processes in the eyes of the worker, in bytes. None for an
/// unobserved command.
pub(in crate::flow) fn usage_of(cost: &CommandCost, seen: Option<u64>) -> Option<ResourceUsage> {
    let looks = match cost.group_memory {
        Some(_) => MemoryObserver::Group,
        None => MemoryObserver::Tree,
    };
    let observed = [
        (
            MemoryObserver::Process,
            cost.ended.map(|ended| ended.memory),
        ),
        (looks, seen),
        (MemoryObserver::Group, cost.group_memory),
    ];
    let known = observed
        .into_iter()
        .filter_map(|(observer, bytes)| Some((bytes?, observer)));
    let (memory_bytes, memory_by) = known.max()?;
    let ended = cost.ended.unwrap_or_default();
    Some(ResourceUsage {
        memory_bytes,
        memory_by,
        cpu_time_s: cost.ended.map(|ended| seconds(ended.cpu_time)),
        read_bytes: ended.read,
        written_bytes: ended.written,
    })
}

/// Seconds to the microsecond: short in the ledger, and the same after a round trip.
pub(in crate::flow) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::EndedProcesses;

    #[test]
    fn the_observer_that_saw_most_is_believed() {
        use MemoryObserver::{Group, Process, Tree};
        let rows = [
            (Some(5), None, None, Some((5, Process))),
            (Some(5), Some(9), None, Some((9, Tree))),
            (Some(5), Some(9), Some(20), Some((20, Group))),
            (Some(5), Some(40), Some(20), Some((40, Group))),
            // The group's figure may be too low after the page cache was subtracted.
            (Some(30), Some(9), Some(20), Some((30, Process))),
            (Some(5), None, Some(5), Some((5, Group))),
            (None, None, None, None),
        ];
        for (process, tree, group, expected) in rows {
            let cost = CommandCost {
                ended: process.map(|memory| EndedProcesses {
                    memory,
                    cpu_time: Duration::from_millis(1500),
                    ..EndedProcesses::default()
                }),
                group_memory: group,
                kills: 0,
            };
            let usage = usage_of(&cost, tree);
            let found = usage.map(|usage| (usage.memory_bytes, usage.memory_by));
            assert_eq!(found, expected);
            let cpu = usage.and_then(|usage| usage.cpu_time_s);
            assert_eq!(cpu, process.map(|_| 1.5));
        }
    }
}
