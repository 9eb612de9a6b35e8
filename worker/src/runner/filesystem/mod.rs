//! What a command sees of the file system: `/pfs` with this datum's inputs and an empty `out`, and a `/tmp` of its own.
//!
//! Either by mounts in a namespace of the runner's own, where nothing is copied, or by copies in scratch.
//! It knows nothing of commands.

mod copied_inputs;
mod datum_filesystem;
mod mount_namespace;
mod mount_targets;
mod mounted_inputs;
mod mountinfo;
mod next_datum_directory;
mod remove;
mod slot_scratch;
mod target_check;
mod writable_directory;

pub(crate) use remove::remove_all;

pub(super) use datum_filesystem::DatumFilesystem;
pub(super) use next_datum_directory::NEXT_DATUM_DIRECTORY;
pub(super) use slot_scratch::{EMPTY, SlotScratch};
