//! Atomic creation of files, also when the process dies.
//!
//! A file is written under a unique name below `.drover/tmp` and then renamed, so readers never see a partial file. A
//! later process sweeps the files of a killed process.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use ulid::Ulid;

use super::recycled_files::RecycledFiles;

/// Unfinished files older than so many seconds are abandoned.
const ABANDONED_S: i64 = 24 * 60 * 60;

/// Mode of stored files: a file may have several links, so it must not be written to.
const STORED_MODE: u32 = 0o444;

/// Creates files in a temporary folder and renames them into place.
#[derive(Debug)]
pub(super) struct TempFiles {
    folder: PathBuf,
    unique: Ulid,
    count: AtomicU64,
    recycled: RecycledFiles,
}

impl TempFiles {
    /// Temporary files in `folder`, which reuse the files in `recycled`.
    pub(super) fn new(folder: PathBuf, recycled: PathBuf) -> Self {
        Self {
            folder,
            unique: Ulid::generate(),
            count: AtomicU64::new(0),
            recycled: RecycledFiles::new(recycled),
        }
    }

    /// A temporary file with a unique name, not created yet.
    pub(super) fn temp_file(&self) -> TempFile {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        TempFile::at(self.folder.join(format!("{}-{count}", self.unique)))
    }

    /// A new temporary file, filled by `write`.
    pub(super) fn make<T>(
        &self,
        write: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> io::Result<(TempFile, T)> {
        let temp_file = self.temp_file();
        let mut file = with_parent(&temp_file.path, || File::create_new(&temp_file.path))?;
        let written = write(&mut file)?;
        Ok((temp_file, written))
    }

    /// A temporary file with a small record, written over a recycled file if possible.
    pub(super) fn record(&self, bytes: &[u8]) -> io::Result<TempFile> {
        let recycled = self.recycled.take(|| self.temp_file());
        // A recycled file of another user may not be writable.
        match recycled.filter(|recycled| write_over(recycled.path(), bytes).is_ok()) {
            Some(written) => Ok(written),
            None => self
                .make(|file| file.write_all(bytes))
                .map(|(temp_file, ())| temp_file),
        }
    }

    /// Removes the records at `paths` and keeps their files for recycling. Readers with an open record may see the
    /// bytes change.
    pub(super) fn recycle(&self, paths: &[PathBuf]) -> io::Result<()> {
        self.recycled.give(paths)
    }

    /// Removes abandoned temporary files and old recycled files.
    pub(super) fn sweep(&self) {
        let abandoned_s = Timestamp::now().as_second() - ABANDONED_S;
        for folder in [&*self.folder, self.recycled.folder()] {
            sweep(folder, abandoned_s);
        }
    }
}

/// Overwrites an existing file with `bytes`. The file is not truncated first: freeing and allocating a block costs as
/// much as the rest, and ext4 flushes a truncated file on close.
fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let before = file.metadata()?.len();
    file.write_all(bytes)?;
    let now = bytes.len() as u64;
    if now < before {
        file.set_len(now)
    } else {
        Ok(())
    }
}

/// Removes the files in `folder` last written before `abandoned_s`, in seconds since 1970.
fn sweep(folder: &Path, abandoned_s: i64) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let metadata = entry.metadata();
        if metadata.is_ok_and(|metadata| metadata.mtime() < abandoned_s) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A finished file that is not in place yet; removed on drop.
#[derive(Debug)]
pub(super) struct TempFile {
    path: PathBuf,
    /// True if a rename has moved the file into place, so nothing is left to remove.
    placed: bool,
}

impl TempFile {
    fn at(path: PathBuf) -> Self {
        Self {
            path,
            placed: false,
        }
    }

    /// Makes the file read-only.
    pub(super) fn read_only(&self) -> io::Result<()> {
        make_read_only(&self.path)
    }

    /// Renames the file to `path`, replacing an existing file.
    pub(super) fn replace(self, path: &Path) -> io::Result<()> {
        move_file(&self.path, path)?;
        // `rename` does nothing if both names are links to one inode; `drop` removes ours.
        Ok(())
    }

    /// Renames the file to `path` if `path` does not exist; of several racers exactly one succeeds.
    pub(super) fn create(mut self, path: &Path) -> io::Result<()> {
        self.placed = with_parent(path, || {
            match renameat_with(CWD, &self.path, CWD, path, RenameFlags::NOREPLACE) {
                // File systems without `RENAME_NOREPLACE` (NFS) have `link`, which does not replace either.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    fs::hard_link(&self.path, path).map(|()| false)
                }
                renamed => renamed.map(|()| true).map_err(io::Error::from),
            }
        })?;
        Ok(())
    }

    /// Path of the temporary file.
    pub(super) fn path(&self) -> &Path {
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
pub(super) fn move_file(from: &Path, to: &Path) -> io::Result<()> {
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
pub(super) const UNFINISHED: &str = ".drover-tmp";

fn beside(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}{UNFINISHED}", Ulid::generate()))
}

/// Runs `act`, and again after creating the missing parent directory of `path` (repeatedly, because another process
/// may prune the directory).
pub(super) fn with_parent<T>(path: &Path, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
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

/// Keeps a stored file from being written to.
pub(super) fn make_read_only(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(STORED_MODE))
}
