//! The directory of the cache, which the workers of a machine share.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::entry::{EntryPaths, LOCK, SEAL};
use super::eviction::{Resident, victims};
use super::name_lock::{is_at, now};
use crate::runner::remove_all;

/// The file that every worker with the directory holds a lock on.
const WORKERS: &str = "workers";

/// The directory, removed with the last worker that has the directory open.
#[derive(Debug)]
pub(super) struct CacheDirectory {
    path: PathBuf,
    workers: File,
}

impl CacheDirectory {
    /// Opens or makes the directory at `path`. An error if the directory belongs to another user, who could exchange files.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        loop {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made?;
            let found = fs::symlink_metadata(&path)?;
            if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
                return Err(io::Error::other("it belongs to another user"));
            }
            let file = path.join(WORKERS);
            let workers = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&file)?;
            workers.lock_shared()?;
            // The last worker before may have removed the directory in between.
            if is_at(&workers, &file)? {
                return Ok(Self { path, workers });
            }
        }
    }

    pub(super) fn entry(&self, name: &str) -> EntryPaths {
        EntryPaths::new(&self.path, name)
    }

    /// Removes entries until `needed` bytes more fit below the `limit`; false if too much is in use. Blocking.
    pub(super) fn make_room(&self, needed: u64, limit: u64) -> io::Result<bool> {
        let Some(victims) = victims(self.residents()?, needed, limit) else {
            return Ok(false);
        };
        for name in victims {
            let entry = self.entry(&name);
            match (entry.try_lock()?, entry.alone()) {
                (Some(_lock), Some(_content)) => entry.remove()?,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// All entries that occupy space. Leftovers of killed workers are removed.
    fn residents(&self) -> io::Result<Vec<Resident>> {
        let mut residents = Vec::new();
        for file in fs::read_dir(&self.path)? {
            let file = file?.file_name();
            let Some(file) = file.to_str() else { continue };
            let found = if let Some(name) = file.strip_suffix(SEAL) {
                self.sealed(name)?
            } else if let Some(name) = file.strip_suffix(LOCK) {
                self.in_the_making(name)?
            } else {
                None
            };
            residents.extend(found);
        }
        Ok(residents)
    }

    fn sealed(&self, name: &str) -> io::Result<Option<Resident>> {
        let entry = self.entry(name);
        let Some(seal) = entry.seal()? else {
            return Ok(None);
        };
        let used = self.path.join(format!("{name}{SEAL}")).metadata()?;
        Ok(Some(Resident {
            name: name.to_owned(),
            size: seal.size,
            used: used.modified()?,
            is_in_use: entry.alone().is_none(),
        }))
    }

    fn in_the_making(&self, name: &str) -> io::Result<Option<Resident>> {
        let entry = self.entry(name);
        if let Some(_lock) = entry.try_lock()? {
            if entry.seal()?.is_none() {
                entry.remove()?;
            }
            return Ok(None);
        }
        let size = fs::read_to_string(self.path.join(format!("{name}{LOCK}")));
        Ok(Some(Resident {
            name: name.to_owned(),
            size: size.unwrap_or_default().parse().unwrap_or_default(),
            used: now(),
            is_in_use: true,
        }))
    }
}

impl Drop for CacheDirectory {
    fn drop(&mut self) {
        let is_last = self.workers.unlock().is_ok() && self.workers.try_lock().is_ok();
        if is_last && let Err(error) = remove(&self.path) {
            tracing::debug!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match remove_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
