//! The lock of a name: the holder makes or removes the entry of the name.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

/// The lock of a name. The file goes with the lock; the kernel releases the lock of a killed process, whose file stays.
#[derive(Debug)]
pub(super) struct NameLock {
    file: File,
    path: PathBuf,
}

impl NameLock {
    /// Takes the lock with the file `path`; none if another task holds the lock.
    pub(super) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The last holder may have removed the file in between.
            if is_at(&file, path)? {
                let path = path.to_owned();
                return Ok(Some(Self { file, path }));
            }
        }
    }

    /// Notes the size of the entry that is being made, which counts from now on.
    pub(super) fn reserve(&mut self, size: u64) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all(size.to_string().as_bytes())
    }

    /// Shows waiting tasks that the work goes on.
    pub(super) fn show_life(&self) -> io::Result<()> {
        self.file.set_modified(now())
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// The time of day, for files.
pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Timestamp::now().as_duration().unsigned_abs()
}

/// True if the opened file is still the one at `path`.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_holder_at_a_time_and_a_free_lock_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let lock = NameLock::try_take(&path).unwrap().unwrap();
        assert!(NameLock::try_take(&path).unwrap().is_none());
        drop(lock);
        assert!(!path.exists());
        assert!(NameLock::try_take(&path).unwrap().is_some());
    }
}
