//! A finished file before it is in place, and moves of files.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use ulid::Ulid;

use super::second_names;

/// Mode of stored files: a file may have several links, so it must not be written to.
const STORED_MODE: u32 = 0o444;

/// A finished file that is not in place yet; removed on drop.
#[derive(Debug)]
pub(in crate::store::folder) struct TempFile {
    path: PathBuf,
    /// True if a rename has moved the file into place, so nothing is left to remove.
    placed: bool,
}

impl TempFile {
    pub(in crate::store::folder) fn at(path: PathBuf) -> Self {
        Self {
            path,
            placed: false,
        }
    }

    /// Makes the file read-only.
    pub(in crate::store::folder) fn read_only(&self) -> io::Result<()> {
        make_read_only(&self.path)
    }

    /// Renames the file to `path`, replacing an existing file.
    pub(in crate::store::folder) fn replace(self, path: &Path) -> io::Result<()> {
        move_file(&self.path, path)?;
        // `rename` does nothing if both names are links to one inode; `drop` removes ours.
        Ok(())
    }

    /// Renames the file to `path` if `path` does not exist; of several racers exactly one succeeds.
    pub(in crate::store::folder) fn create(&mut self, path: &Path) -> io::Result<()> {
        self.placed = with_parent(path, || second_names::rename_to_new(&self.path, path))?;
        Ok(())
    }

    /// Path of the temporary file.
    pub(in crate::store::folder) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Renames `from` to `to`; across file systems by a copy beside `to`.
pub(in crate::store::folder) fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match with_parent(to, || fs::rename(from, to)) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let beside = TempFile::at(beside(to));
            fs::copy(from, &beside.path)?;
            fs::rename(&beside.path, to)?;
            fs::remove_file(from)
        }
        // An empty directory does not exist, as in a bucket.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            fs::remove_dir(to)?;
            fs::rename(from, to)
        }
        moved => moved,
    }
}

/// Suffix of files being copied from another file system; walks skip such files.
pub(in crate::store::folder) const UNFINISHED: &str = ".drover-tmp";

fn beside(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}{UNFINISHED}", Ulid::generate()))
}

/// Runs `act`, and again after creating the missing parent directory of `path` (repeatedly, because another process
/// may prune the directory).
pub(in crate::store::folder) fn with_parent<T>(
    path: &Path,
    act: impl Fn() -> io::Result<T>,
) -> io::Result<T> {
    for _ in 0..3 {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
            }
            done => return done,
        }
    }
    act()
}

/// Keeps a stored file from being written to, where the file system has modes.
pub(in crate::store::folder) fn make_read_only(path: &Path) -> io::Result<()> {
    match fs::set_permissions(path, fs::Permissions::from_mode(STORED_MODE)) {
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS)
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}
