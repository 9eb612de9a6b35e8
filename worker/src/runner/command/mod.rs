//! Execution of a command: search, start, log, termination of its processes. The room knows nothing of how `/pfs` is
//! set up.

mod attempt;
mod batch_command;
mod command_search;
mod fifo_writer;
mod launch;
mod line_splitter;
mod log;
mod log_file;
mod monitor;
mod process;

pub(super) use attempt::{Attempt, AttemptOutcome};
pub(super) use batch_command::{BatchCommand, IdleEnd};
pub(crate) use command_search::USUAL_PATH;
