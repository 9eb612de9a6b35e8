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
use ulid::Ulid;

use super::recycled_files::RecycledFiles;
use super::temp_file::{TempFile, with_parent};
use crate::store::folder::initial_umask;

/// Unfinished files older than so many seconds are abandoned.
const ABANDONED_S: i64 = 24 * 60 * 60;

/// Mode of private files.
const PRIVATE_MODE: u32 = 0o600;
/// Mode of private files in a folder that a group shares.
const GROUP_MODE: u32 = 0o640;

/// Creates files in a temporary folder and renames them into place.
#[derive(Debug)]
pub(in crate::store::folder) struct TempFiles {
    folder: PathBuf,
    unique: Ulid,
    count: AtomicU64,
    recycled: RecycledFiles,
}

impl TempFiles {
    /// Temporary files in `folder`, which reuse the files in `recycled`.
    pub(in crate::store::folder) fn new(folder: PathBuf, recycled: PathBuf) -> Self {
        Self {
            folder,
            unique: Ulid::generate(),
            count: AtomicU64::new(0),
            recycled: RecycledFiles::new(recycled),
        }
    }

    /// A temporary file with a unique name, not created yet.
    pub(in crate::store::folder) fn temp_file(&self) -> TempFile {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        TempFile::at(self.folder.join(format!("{}-{count}", self.unique)))
    }

    /// A new temporary file, filled by `write`.
    pub(in crate::store::folder) fn make<T>(
        &self,
        write: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> io::Result<(TempFile, T)> {
        let temp_file = self.temp_file();
        let mut file = with_parent(temp_file.path(), || File::create_new(temp_file.path()))?;
        let written = write(&mut file)?;
        Ok((temp_file, written))
    }

    /// A temporary file with a small record, written over a recycled file if possible.
    pub(in crate::store::folder) fn record(&self, bytes: &[u8]) -> io::Result<TempFile> {
        let recycled = self.recycled.take(|| self.temp_file());
        // A recycled file of another user may not be writable.
        match recycled.filter(|recycled| write_over(recycled.path(), bytes).is_ok()) {
            Some(written) => Ok(written),
            None => self
                .make(|file| file.write_all(bytes))
                .map(|(temp_file, ())| temp_file),
        }
    }

    /// A temporary file that only the user may read, and the group if it shares the store.
    pub(in crate::store::folder) fn private(&self, bytes: &[u8]) -> io::Result<TempFile> {
        let mode = initial_umask().map_or(PRIVATE_MODE, |_| GROUP_MODE);
        let private = self.make(|file| {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(bytes)
        });
        private.map(|(temp_file, ())| temp_file)
    }

    /// Removes the records at `paths` and keeps their files for recycling. Readers with an open record may see the
    /// bytes change.
    pub(in crate::store::folder) fn recycle(&self, paths: &[PathBuf]) -> io::Result<()> {
        self.recycled.give(paths)
    }

    /// Removes abandoned temporary files and old recycled files.
    pub(in crate::store::folder) fn sweep(&self) {
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
