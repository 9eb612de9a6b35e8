//! Exit codes. Scripts and restart policies depend on them: a code never changes its meaning.

use std::process::ExitCode;

/// How the worker's process ended, for whoever started it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// It was asked to stop; what ran was finished, the rest handed back.
    Drained,
    /// This machine is not fit for it: no scratch space, no way to run commands, an address that is taken; or a bug.
    Unfit,
    /// The command line or the environment is wrong; nothing was done.
    Usage,
    /// What ran was killed: asked twice, or the grace was over. It goes back to the queue.
    CutShort,
    /// The store or the broker cannot be reached or used.
    Unreachable,
}

impl Exit {
    /// The number that the process returns.
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
