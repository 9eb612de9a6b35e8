//! What keeps an attempt from beginning, by who is at fault.

use std::io;

use rustix::io::Errno;

/// Why an attempt did not begin.
#[derive(Debug)]
pub(super) enum StartError {
    /// What was ordered cannot be done anywhere: there is no such command, user, input …
    Order(String),
    /// This slot is unfit: its directories are gone, or the machine is out of something. Another one may do better.
    Slot(String),
}

impl StartError {
    /// An error of the system while the order was prepared: not the order's fault if the machine is out of something.
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
