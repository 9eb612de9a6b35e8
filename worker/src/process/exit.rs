//! Exit codes. Scripts and restart policies depend on them, so a code never changes its meaning.

use std::process::ExitCode;

/// The result of the worker's process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// The worker drained after a signal: running datums were finished, the others handed back.
    Drained,
    /// The machine is not fit: no scratch space, no way to run commands, an address in use; or a bug.
    Unfit,
    /// The command line or the environment is wrong; nothing was done.
    Usage,
    /// A second signal or the end of the grace period killed the running commands; their datums go back to the queue.
    CutShort,
    /// The store or the broker cannot be reached or used.
    Unreachable,
}

impl Exit {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Drained => 0,
            Self::Unfit => 1,
            Self::Usage => 2,
            Self::CutShort => 3,
            Self::Unreachable => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
