//! The books as people ask about them, and what people may ask for: the command line and the HTTP API go through this
//! one room, so that both say and do the same.
//!
//! It reads the ledger and puts together what it says ([`record`], [`datums`], [`logs`], [`look`]); it opens the books of
//! new jobs ([`submit`], [`retry`]) and passes on that one is to stop ([`stop`]). How any of it is shown is not its
//! business.

mod chain;

mod datums;
mod logs;
mod look;
mod record;

mod retry;
mod stop;
mod submit;

pub(crate) use chain::{ChainError, order, reads, with_standing};
pub(crate) use datums::{Row, rows};
pub(crate) use logs::{LogError, Origin, attempt, each_line, logs_of, open_log};
pub(crate) use look::look;
pub(crate) use record::{failures, record, running_before, state_word};
pub(crate) use retry::{GroupError, RetryError, retry};
pub(crate) use stop::tell_to_stop;
pub(crate) use submit::{SubmitError, hint, submit};
