//! Collect: what the command left in `/pfs/out`, taken out of the slot, which is then free for the next datum.
//!
//! Output is flat from here on: a list of paths in byte order, and for each a file. Nothing outside the datum's own
//! directories is looked at. Nothing is copied but what a link leads to, and what the command can still write to.

mod directory;
mod file;
mod links;
mod listing;
mod refusal;
mod take_out;

pub(super) use take_out::{Collected, collect};
