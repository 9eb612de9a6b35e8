//! Exit codes. Scripts and restart policies depend on them, so a code never changes its meaning.

use std::process::ExitCode;

use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;

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

impl From<&anyhow::Error> for Exit {
    fn from(error: &anyhow::Error) -> Self {
        let is_remote = error
            .chain()
            .any(|cause| cause.is::<StoreError>() || cause.is::<QueueError>());
        if is_remote {
            Self::Unreachable
        } else {
            Self::Unfit
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, Error};

    use super::*;
    use crate::WorkError;

    #[test]
    fn only_the_store_and_the_broker_are_unreachable() {
        let broker = || QueueError::Refused {
            message: "no".to_owned(),
        };
        let lost = WorkError::Queue { source: broker() };
        for (error, exit) in [
            (Error::from(broker()), Exit::Unreachable),
            (Error::from(lost), Exit::Unreachable),
            (Error::from(WorkError::Bug), Exit::Unfit),
            (Error::from(std::io::Error::other("in use")), Exit::Unfit),
        ] {
            assert_eq!(Exit::from(&error), exit, "{error:#}");
            let error = Err::<(), _>(error).context("cannot begin").unwrap_err();
            assert_eq!(Exit::from(&error), exit, "{error:#}");
        }
    }
}
