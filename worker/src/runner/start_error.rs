//! Start errors: why an attempt could not start, by the party at fault.

use std::io;

use rustix::io::Errno;

/// Why an attempt did not start.
#[derive(Debug)]
pub(super) enum StartError {
    /// The order cannot be executed on any worker: unknown command, unknown user, invalid input.
    Order(String),
    /// The slot cannot run commands: its directories are missing, or the machine lacks resources. Another slot may
    /// succeed.
    Slot(String),
}

impl StartError {
    /// Classifies a system error during preparation: a lack of resources is the slot's fault.
    pub(super) fn of(error: &io::Error, message: String) -> Self {
        match Errno::from_io_error(error) {
            Some(
                Errno::AGAIN
                | Errno::NOMEM
                | Errno::MFILE
                | Errno::NFILE
                | Errno::NOSPC
                | Errno::DQUOT,
            ) => Self::Slot(message),
            _ => Self::Order(message),
        }
    }
}
