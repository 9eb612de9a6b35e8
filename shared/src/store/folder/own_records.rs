//! Reads of Drover's own files below `.drover`.
//!
//! Anything may stand in the place of a record: a directory, a pipe, a link to a device. A read never follows a link,
//! never waits, and never reads more than a record can hold; what is no record is damage by name.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::error::reading;
use crate::store::{StoreError, StoreKey, layout};

/// Largest record that is read: the done index of a hundred million datums fits.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// The usual advice; the ledger knows better for its own records.
const ADVICE: &str = "remove it";

/// True if the key lies below `.drover`.
pub(super) fn is_own(key: &StoreKey) -> bool {
    key.top() == layout::DROVER_FOLDER && key.as_str() != layout::DROVER_FOLDER
}

/// The bytes of the record at `key`.
pub(super) fn read(root: &Path, key: &StoreKey) -> Result<Bytes, StoreError> {
    let file = open(root, key)?;
    let size = file.metadata().map_err(|error| reading(key, error))?.len();
    if size > MAX_BYTES {
        return Err(damaged(
            key,
            format!("it has {size} bytes, more than any record"),
        ));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // One byte more than the size, so the end is seen with the last bytes.
    let read = file.take(MAX_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| reading(key, error))?;
    Ok(bytes.into())
}

/// Opens the file at `key`, which must be a regular file and be reached without links below `.drover`.
pub(super) fn open(root: &Path, key: &StoreKey) -> Result<File, StoreError> {
    let file = open_without_links(root, key).map_err(|error| refused(key, error))?;
    let metadata = file.metadata().map_err(|error| reading(key, error))?;
    if metadata.is_file() {
        Ok(file)
    } else {
        Err(damaged(key, "it is not a file".to_owned()))
    }
}

fn open_without_links(root: &Path, key: &StoreKey) -> io::Result<File> {
    // Not to wait for the writer of a pipe.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // The directory `.drover` may be a link to another disk.
    let ours = rustix::fs::open(
        root.join(layout::DROVER_FOLDER),
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let below = &key.as_str()[layout::DROVER_FOLDER.len() + 1..];
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(&ours, below, flags, Mode::empty(), inside) {
        // An old kernel, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => OpenOptions::new()
            .read(true)
            .custom_flags(i32::try_from((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits()).unwrap_or(0))
            .open(root.join(key.as_str())),
        opened => Ok(File::from(opened?)),
    }
}

fn refused(key: &StoreKey, error: io::Error) -> StoreError {
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP | Errno::XDEV) => {
            damaged(key, "it is reached through a symbolic link".to_owned())
        }
        Some(Errno::NXIO | Errno::NODEV) => damaged(key, "it is not a file".to_owned()),
        _ => reading(key, error),
    }
}

/// The error for an entry at `key` that is no record.
pub(super) fn damaged(key: &StoreKey, problem: String) -> StoreError {
    StoreError::Corrupt {
        key: key.clone(),
        advice: ADVICE,
        source: problem.into(),
    }
}
