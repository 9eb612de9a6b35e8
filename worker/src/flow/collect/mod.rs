//! Collect: takes the files in `/pfs/out` out of the slot, which is then free for the next datum.
//!
//! From here on an output is a list of paths in byte order with a file for each. Nothing outside the datum's own
//! directories is read. A file is copied only if a link leads to it, or if the command can still write to it.

mod directory;
mod file;
mod links;
mod listing;
mod refusal;
mod take_out;

pub(super) use take_out::{CollectedOutput, collect};
