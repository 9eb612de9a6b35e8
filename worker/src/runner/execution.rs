//! The result of an attempt, as the runner reports it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The result of one attempt.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Execution {
    /// Exit code, signal or termination of the command.
    pub ending: Ending,
    /// The last line on stderr that is not blank, else on stdout; at most 4 KiB.
    pub last_line: String,
    /// Size of the log in bytes; 0 if no log was written.
    pub log_bytes: u64,
    /// False if `/pfs/out` is certainly empty.
    pub output: bool,
    /// Reason for an incomplete log, such as a full disk.
    pub log_trouble: Option<String>,
    /// From exec to the end of the command.
    pub process_time: Duration,
    /// Resources that the command used.
    pub cost: CommandCost,
}

/// Resources used by a command, as seen by the runner.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CommandCost {
    /// Resources of the processes that have ended; `None` for a command that stays loaded.
    pub ended: Option<EndedProcesses>,
    /// The most memory of the slot's control group, in bytes; `None` without such a group.
    pub group_memory: Option<u64>,
    /// Processes of the slot's control group that the kernel killed for want of memory.
    pub kills: u64,
}

/// Resources that processes used until their end.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndedProcesses {
    /// The most resident memory of a single process, in bytes.
    pub memory: u64,
    /// Time on a CPU.
    pub cpu_time: Duration,
    /// Bytes read from disks.
    pub read: u64,
    /// Bytes written to disks.
    pub written: u64,
}

/// The ways a command can end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The command exited with this code.
    Exited(i32),
    /// A signal that the runner did not send ended the command.
    Signaled(i32),
    /// The command called `next-datum` after success.
    Asked,
    /// The command called `next-datum --error` with the reason, then `next-datum`.
    GaveUp(String),
    /// The runner ended the command at its timeout.
    TimedOut,
    /// The worker cancelled the attempt.
    Cancelled,
    /// The command did not start: not found, unknown user, input not available. Also a command that was ended because
    /// a lazy input could not be read. The message names the cause and the remedy.
    NotStarted(String),
}

impl Ending {
    /// The ending of a process that was not signalled by the runner.
    pub(super) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, signal) => Self::Signaled(signal.unwrap_or_default()),
        }
    }
}
