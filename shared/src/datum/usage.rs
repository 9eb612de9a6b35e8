//! The part of a machine that the commands of a datum used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest CPU time that a worker reports, in seconds: a hundred years on a thousand CPUs.
const MAX_CPU_S: f64 = 3.2e12;

/// The observer of a command's memory, from the least exact to the most exact.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum MemoryObserver {
    /// The kernel, of the largest single process.
    Process,
    /// The worker, by looks at all processes of the command.
    Tree,
    /// The kernel, of all processes of the slot, by a control group.
    Group,
}

/// Resources that the commands of a datum used.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ResourceUsage {
    /// The most memory in use at the same time by all processes of an attempt, in bytes; the largest of all attempts.
    pub memory_bytes: u64,
    /// The observer of the memory.
    pub memory_by: MemoryObserver,
    /// CPU seconds of all attempts. Absent for a command that stays loaded between datums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_time_s: Option<f64>,
    /// Bytes read from disks, without cached bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub read_bytes: u64,
    /// Bytes written to disks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub written_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ResourceUsage {
    /// The usage of the attempt and of a later attempt.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let largest = if later.memory_bytes > self.memory_bytes {
            later
        } else {
            self
        };
        let cpu_time_s = match (self.cpu_time_s, later.cpu_time_s) {
            (Some(earlier), Some(later)) => Some(earlier + later),
            (one, other) => one.or(other),
        };
        Self {
            cpu_time_s,
            read_bytes: self.read_bytes.saturating_add(later.read_bytes),
            written_bytes: self.written_bytes.saturating_add(later.written_bytes),
            ..largest
        }
    }

    /// True if the CPU time is finite, not negative, and such as a worker may measure.
    pub fn is_plausible(&self) -> bool {
        self.cpu_time_s
            .is_none_or(|time| (0.0..=MAX_CPU_S).contains(&time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(memory_bytes: u64, memory_by: MemoryObserver, cpu: Option<f64>) -> ResourceUsage {
        ResourceUsage {
            memory_bytes,
            memory_by,
            cpu_time_s: cpu,
            read_bytes: 3,
            written_bytes: u64::MAX,
        }
    }

    #[test]
    fn attempts_add_up_but_for_their_memory() {
        let small = usage(10, MemoryObserver::Group, Some(1.0));
        let large = usage(20, MemoryObserver::Tree, Some(0.5));
        let both = ResourceUsage {
            read_bytes: 6,
            ..usage(20, MemoryObserver::Tree, Some(1.5))
        };
        assert_eq!(small.and(large), both);
        assert_eq!(large.and(small), both);
        let unknown = usage(1, MemoryObserver::Process, None);
        assert_eq!(unknown.and(small).cpu_time_s, Some(1.0));
    }

    #[test]
    fn only_cpu_times_that_can_be_are_plausible() {
        for (cpu, is_plausible) in [
            (None, true),
            (Some(0.0), true),
            (Some(-0.1), false),
            (Some(f64::NAN), false),
            (Some(f64::INFINITY), false),
        ] {
            let usage = usage(1, MemoryObserver::Process, cpu);
            assert_eq!(usage.is_plausible(), is_plausible, "{cpu:?}");
        }
    }
}
