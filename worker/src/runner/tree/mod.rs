//! What a command sees of the file system: `/pfs` with this datum's inputs and an empty `out`, and a `/tmp` of its own.
//!
//! Either by mounts in a namespace of the runner's own, where nothing is copied, or by copies in scratch.
//! It knows nothing of commands.

mod asking;
mod copied;
mod mounted;
mod mountinfo;
mod points;
mod prepare;
mod remove;
mod scratch;
mod target;
mod view;
mod written;

pub(crate) use remove::remove_all;

pub(super) use asking::ASKING;
pub(super) use prepare::Tree;
pub(super) use scratch::{EMPTY, Scratch};
