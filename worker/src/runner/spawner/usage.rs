//! Resources that the children of the spawner used, reaped orphans included.

use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::runner::execution::EndedProcesses;

/// Bytes of a block in the counts of the kernel.
const BLOCK: u64 = 512;

/// Resources that all children of the current process used that have ended and were waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChildrenUsage(Option<Usage>);

impl ChildrenUsage {
    /// Resources used so far.
    pub(super) fn now() -> Self {
        Self(getrusage(UsageWho::RUSAGE_CHILDREN).ok())
    }

    /// Resources used from then on until now; `memory` is the most resident memory of the main process, in bytes, since the
    /// kernel counts no other from then on.
    pub(super) fn until_now(self, memory: u64) -> EndedProcesses {
        let (Self(Some(before)), Self(Some(after))) = (self, Self::now()) else {
            return EndedProcesses {
                memory,
                ..EndedProcesses::default()
            };
        };
        let cpu_time = |usage: &Usage| time(usage.user_time()) + time(usage.system_time());
        EndedProcesses {
            // A larger one than ever is of the last command, even if it is an orphan's.
            memory: if after.max_rss() > before.max_rss() {
                kibibytes(after.max_rss()).max(memory)
            } else {
                memory
            },
            cpu_time: cpu_time(&after).saturating_sub(cpu_time(&before)),
            read: blocks(before.block_reads(), after.block_reads()),
            written: blocks(before.block_writes(), after.block_writes()),
        }
    }
}

fn time(value: TimeVal) -> Duration {
    let seconds = u64::try_from(value.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(value.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

fn kibibytes(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0).saturating_mul(1024)
}

fn blocks(before: i64, after: i64) -> u64 {
    let count = u64::try_from(after.saturating_sub(before)).unwrap_or(0);
    count.saturating_mul(BLOCK)
}
