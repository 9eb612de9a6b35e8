//! Running a command: finding it, starting it, keeping its output, ending it and all that it started.
//!
//! It knows nothing of how `/pfs` came about.

mod asks;
mod attempt;
mod feeder;
mod identity;
mod launch;
mod lines;
mod log;
mod log_file;
mod process;
mod program;
mod resident;
mod supervise;

pub(super) mod leftovers;

pub(super) use asks::{Word, ask};
pub(super) use attempt::{Attempt, Outcome};
pub(super) use feeder::Fifo;
pub(crate) use identity::home_of_another;
pub(super) use identity::{Identity, identity};
pub(crate) use program::USUAL_PATH;
pub(super) use resident::{Resident, Rest};
