//! Bringing a finished file to its place, all or nothing, whenever the process dies.
//!
//! A file is written under a unique name below `.drover/tmp` and then renamed; so nobody sees half a file,
//! and what a killed process leaves behind lies where the next one sweeps it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use ulid::Ulid;

use super::recycled_files::RecycledFiles;

/// Unfinished files older than this many seconds belong to nobody any more.
const ABANDONED_S: i64 = 24 * 60 * 60;

/// The mode of stored files: they may be linked from several places, so nobody should write to them.
const STORED_MODE: u32 = 0o444;

/// Where files are written before they are put in their place.
#[derive(Debug)]
pub(super) struct TempFiles {
    folder: PathBuf,
    unique: Ulid,
    count: AtomicU64,
    recycled: RecycledFiles,
}

impl TempFiles {
    /// A temp_files in `folder`, with what lies in `spares` to build on.
    pub(super) fn new(folder: PathBuf, recycled: PathBuf) -> Self {
        Self {
            folder,
            unique: Ulid::generate(),
            count: AtomicU64::new(0),
            recycled: RecycledFiles::new(recycled),
        }
    }

    /// A file to be made, under a name that no other has.
    pub(super) fn temp_file(&self) -> TempFile {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        TempFile::at(self.folder.join(format!("{}-{count}", self.unique)))
    }

    /// A new file that `write` fills, not in its place yet. Its name is the temp_files's.
    pub(super) fn make<T>(
        &self,
        write: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> io::Result<(TempFile, T)> {
        let temp_file = self.temp_file();
        let mut file = with_parent(&temp_file.path, || File::create_new(&temp_file.path))?;
        let written = write(&mut file)?;
        Ok((temp_file, written))
    }

    /// A small record not in its place yet, written over a spare if there is one.
    pub(super) fn record(&self, bytes: &[u8]) -> io::Result<TempFile> {
        let spare = self.recycled.take(|| self.temp_file());
        // A spare that cannot be written to may be another user's.
        match spare.filter(|spare| write_over(spare.path(), bytes).is_ok()) {
            Some(written) => Ok(written),
            None => self
                .make(|file| file.write_all(bytes))
                .map(|(temp_file, ())| temp_file),
        }
    }

    /// Removes the records at `paths`, keeping their files as spares. Somebody who has one open may see it change.
    pub(super) fn recycle(&self, paths: &[PathBuf]) -> io::Result<()> {
        self.recycled.give(paths)
    }

    /// Removes what killed processes left behind, and spares that nobody included.
    pub(super) fn sweep(&self) {
        let abandoned_s = Timestamp::now().as_second() - ABANDONED_S;
        for folder in [&*self.folder, self.recycled.folder()] {
            sweep(folder, abandoned_s);
        }
    }
}

/// Makes `bytes` the content of a file that exists. It is not emptied first: giving its block back and taking another
/// costs as much as the rest, and ext4 flushes a file that was emptied as soon as it is closed.
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

/// Removes the files in `folder` that were last written before `abandoned_s`, in seconds since 1970.
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

/// A finished file that is not in its place yet; removed when dropped before.
#[derive(Debug)]
pub(super) struct TempFile {
    path: PathBuf,
    /// Whether a rename has put it in its place, so that nothing is left to remove.
    placed: bool,
}

impl TempFile {
    fn at(path: PathBuf) -> Self {
        Self {
            path,
            placed: false,
        }
    }

    /// Keeps it from being written to.
    pub(super) fn read_only(&self) -> io::Result<()> {
        make_read_only(&self.path)
    }

    /// Puts it at `path`, replacing a file that is there.
    pub(super) fn replace(self, path: &Path) -> io::Result<()> {
        move_file(&self.path, path)?;
        // If both are links to one inode, rename has done nothing at all; `drop` removes ours.
        Ok(())
    }

    /// Puts it at `path` if nothing is there; of several racers exactly one succeeds.
    pub(super) fn create(mut self, path: &Path) -> io::Result<()> {
        self.placed = with_parent(path, || {
            match renameat_with(CWD, &self.path, CWD, path, RenameFlags::NOREPLACE) {
                // File systems that cannot (NFS) can link, which refuses to replace as well.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                    fs::hard_link(&self.path, path).map(|()| false)
                }
                renamed => renamed.map(|()| true).map_err(io::Error::from),
            }
        })?;
        Ok(())
    }

    /// The path under which it is made.
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

/// The end of the names of files on their way across file systems; walks leave them out.
pub(super) const UNFINISHED: &str = ".drover-tmp";

fn beside(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}{UNFINISHED}", Ulid::generate()))
}

/// Does `act`, and once more after the parent directory of `path` was made if it was missing. (More often if
/// somebody prunes it at the same time.)
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
