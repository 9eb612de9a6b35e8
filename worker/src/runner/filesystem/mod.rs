//! File system as a command sees it: `/pfs` with the inputs of the datum and an empty `out`, and a private `/tmp`.
//!
//! The inputs are mounted in a namespace of the runner, where nothing is copied, or copied into scratch. The room
//! knows nothing of commands.

mod copied_inputs;
mod datum_filesystem;
mod hidden_directory;
mod mount_namespace;
mod mount_targets;
mod mounted_inputs;
mod mountinfo;
mod next_datum_directory;
mod pfs_links;
mod remove;
mod slot_scratch;
mod target_check;
mod writable_directory;

pub(crate) use remove::remove_all;

pub(super) use datum_filesystem::{DatumFilesystem, Fifo, remove_links};
pub(super) use mount_targets::link_files;
pub(super) use next_datum_directory::NEXT_DATUM_DIRECTORY;
pub(super) use slot_scratch::{EMPTY, SlotScratch};
