//! What a runner answers.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How one attempt went.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Execution {
    /// How the command ended.
    pub ending: Ending,
    /// The last line on stderr that is not blank, else on stdout; at most 4 KiB of it.
    pub last_line: String,
    /// Size of the log; 0 means that there is none.
    pub log_bytes: u64,
    /// Whether there may be something in `/pfs/out`.
    pub output: bool,
    /// What could not be kept of the output, and why: a full disk.
    pub log_trouble: Option<String>,
    /// From exec to the end of the command.
    pub process_time: Duration,
}

/// The ways a command can end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it, and not by our doing.
    Signaled(i32),
    /// It asked for its next datum, being done with this one.
    Asked,
    /// It asked for its next datum, having failed at this one for this reason.
    GaveUp(String),
    /// It was still running at its timeout and was ended.
    TimedOut,
    /// The worker no longer wanted it.
    Cancelled,
    /// It never ran: not found, unknown user, an input that cannot be shown …; or was ended because a lazy input
    /// could not be read. The message names the thing and the way out.
    NotStarted(String),
}

impl Ending {
    /// How a process ended that ended by itself.
    pub(super) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, signal) => Self::Signaled(signal.unwrap_or_default()),
        }
    }
}
