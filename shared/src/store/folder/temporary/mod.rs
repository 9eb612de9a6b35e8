//! Files before they are in place: temporary files, and files of removed records that are used again.

mod recycled_files;
pub(super) mod second_names;
mod temp_file;
mod temp_files;

pub(super) use temp_file::{TempFile, UNFINISHED, make_read_only, move_file, with_parent};
pub(super) use temp_files::TempFiles;
