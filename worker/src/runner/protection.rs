//! The protection in force for the commands of a slot.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The protection in force for the commands of a slot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Protection {
    /// True if commands that run as root lack the capabilities that containers lack by default.
    pub capabilities_dropped: bool,
    /// Isolation of Drover's processes from commands.
    pub isolation: Isolation,
    /// How Drover's own directories are hidden.
    pub hiding: Hiding,
    /// True if each datum has an IPC namespace and a `/dev/shm` of its own.
    pub private_ipc: bool,
    /// True if the processes of the slot are in a control group, which limits their number and ends them together.
    pub control_group: bool,
    /// Reasons for missing protection.
    pub missing: Vec<String>,
}

/// Isolation of processes outside the commands of a slot.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Commands can neither trace nor signal processes outside, nor connect to their abstract sockets.
    Full,
    /// Commands cannot trace processes outside (Landlock before ABI 6).
    Trace,
    /// No Landlock: other processes of the same user are reachable.
    None,
}

/// How `.drover` and the scratch directories are hidden from commands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hiding {
    /// Empty read-only directories are mounted over them.
    Mounts,
    /// Landlock denies access.
    Landlock,
    /// They are not hidden.
    None,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let isolation = match self.isolation {
            Isolation::Full => "no tracing, no signals (Landlock ABI 6 or later)",
            Isolation::Trace => "no tracing (Landlock before ABI 6)",
            Isolation::None => "none",
        };
        let hiding = match self.hiding {
            Hiding::Mounts => "hidden by mounts",
            Hiding::Landlock => "hidden by Landlock",
            Hiding::None => "not hidden",
        };
        let capabilities = if self.capabilities_dropped {
            "dropped"
        } else {
            "kept"
        };
        let ipc = if self.private_ipc {
            "private"
        } else {
            "shared with the machine"
        };
        let group = if self.control_group { "yes" } else { "no" };
        write!(
            f,
            "other processes: {isolation}; Drover's directories: {hiding}; capabilities: {capabilities}; shared memory: {ipc}; control group: {group}"
        )
    }
}
