//! The ends of commands for want of memory, told apart from all others by evidence. Pure.

use crate::memory::SeenMemory;
use crate::runner::{Ending, Execution};

/// Exit code by which a shell tells that a process got SIGKILL.
const SHELL_KILLED: i32 = 137;

/// SIGKILL.
const KILLED: i32 = 9;

/// The end of an attempt, with the observed memory.
#[derive(Clone, Copy, Debug)]
pub(in crate::flow) struct AttemptEnd<'a> {
    pub(in crate::flow) execution: &'a Execution,
    pub(in crate::flow) seen: SeenMemory,
    /// The most memory of all observers, in bytes.
    pub(in crate::flow) memory: u64,
    /// True if the exit code is accepted.
    pub(in crate::flow) is_accepted: bool,
}

/// Bytes of memory that the command held when it was ended for want of memory; none if it ended otherwise. `kernel_killed`
/// tells if the kernel killed any process of the machine for want of memory meanwhile; asked only if that matters.
pub(in crate::flow) fn lacked_memory(
    end: AttemptEnd<'_>,
    kernel_killed: impl FnOnce() -> bool,
) -> Option<u64> {
    if end.execution.cost.kills > 0 {
        // A shell may succeed although a process of a pipe was killed.
        return Some(end.memory);
    }
    if end.is_accepted {
        return None;
    }
    if let (Some(held), Ending::Cancelled) = (end.seen.shortage, &end.execution.ending) {
        return Some(held.max(end.memory));
    }
    let is_killed = matches!(
        end.execution.ending,
        Ending::Signaled(KILLED) | Ending::Exited(SHELL_KILLED)
    );
    (is_killed && kernel_killed()).then_some(end.memory)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runner::CommandCost;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn only_evidence_makes_an_end_one_by_memory() {
        use Ending::{Asked, Cancelled, Exited, Signaled, TimedOut};
        let guard = Some(70);
        // Ending, accepted, kills of the group, the guard, kills of the kernel; the memory that was held.
        let rows = [
            (Exited(0), true, 0, None, false, None, "success"),
            (
                Exited(0),
                true,
                2,
                None,
                true,
                Some(50),
                "a process of a pipe was killed",
            ),
            (Exited(0), true, 0, guard, true, None, "success in time"),
            (
                Exited(1),
                false,
                0,
                None,
                true,
                None,
                "a failure beside a kill",
            ),
            (
                Exited(1),
                false,
                1,
                None,
                false,
                Some(50),
                "a child was killed",
            ),
            (
                Exited(137),
                false,
                0,
                None,
                false,
                None,
                "137 without evidence",
            ),
            (
                Exited(137),
                false,
                0,
                None,
                true,
                Some(50),
                "137 with evidence",
            ),
            (
                Signaled(9),
                false,
                0,
                None,
                true,
                Some(50),
                "KILL with evidence",
            ),
            (Signaled(9), false, 0, None, false, None, "KILL by somebody"),
            (
                Signaled(9),
                false,
                1,
                None,
                false,
                Some(50),
                "KILL in the group",
            ),
            (Signaled(15), false, 0, None, true, None, "another signal"),
            (Cancelled, false, 0, guard, false, Some(70), "the guard"),
            (
                Cancelled,
                false,
                0,
                None,
                false,
                None,
                "the job was stopped",
            ),
            (TimedOut, false, 0, None, true, None, "the time was up"),
            (Asked, true, 0, None, true, None, "the next datum"),
        ];
        for (ending, is_accepted, kills, shortage, kernel_killed, expected, why) in rows {
            let execution = Execution {
                ending,
                last_line: String::new(),
                log_bytes: 0,
                output: false,
                log_trouble: None,
                process_time: Duration::ZERO,
                cost: CommandCost {
                    kills,
                    ..CommandCost::default()
                },
            };
            let peak = None;
            let end = AttemptEnd {
                execution: &execution,
                seen: SeenMemory { peak, shortage },
                memory: 50,
                is_accepted,
            };
            assert_eq!(lacked_memory(end, || kernel_killed), expected, "{why}");
        }
    }
}
