//! An entry of the cache: the input, the seal, and the lock of the name.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use drover_shared::store::file_version;
use serde::{Deserialize, Serialize};

use super::name_lock::{NameLock, is_at, now};
use crate::runner::remove_all;

/// The ends of the names beside an entry.
pub(super) const SEAL: &str = ".seal";
pub(super) const LOCK: &str = ".lock";
const PART: &str = ".part";

/// The paths of an entry, which may not exist.
#[derive(Clone, Debug)]
pub(super) struct EntryPaths {
    content: PathBuf,
    seal: PathBuf,
    part: PathBuf,
    lock: PathBuf,
}

/// The description of a complete entry. The time of the last use is the modification time of the seal's file.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Seal {
    /// Bytes of the files.
    pub(super) size: u64,
    /// A hash over names, inodes, sizes and times: an entry that a process changed is used no more.
    state: String,
}

/// An entry in use, which stays until this is dropped.
#[derive(Debug)]
pub(crate) struct CachedInput {
    path: PathBuf,
    _in_use: File,
}

impl CachedInput {
    /// The file or directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl EntryPaths {
    /// The paths of the entry with the name in the directory of the cache.
    pub(super) fn new(directory: &Path, name: &str) -> Self {
        let beside = |end: &str| directory.join(format!("{name}{end}"));
        Self {
            content: directory.join(name),
            seal: beside(SEAL),
            part: beside(PART),
            lock: beside(LOCK),
        }
    }

    /// Where the content of the entry is to be made.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// Takes the lock of the name; none if another task holds the lock.
    pub(super) fn try_lock(&self) -> io::Result<Option<NameLock>> {
        NameLock::try_take(&self.lock)
    }

    /// When the holder of the lock last showed life; none without a lock.
    pub(super) fn last_life(&self) -> Option<SystemTime> {
        self.lock.metadata().and_then(|lock| lock.modified()).ok()
    }

    /// The entry for use; none unless complete and unchanged. Blocking.
    pub(super) fn find(&self) -> io::Result<Option<CachedInput>> {
        let Some(seal) = self.seal()? else {
            return Ok(None);
        };
        let Ok(in_use) = File::open(&self.content) else {
            return Ok(None);
        };
        // A worker that removes the entry holds the lock for a moment.
        in_use.lock_shared()?;
        if !is_at(&in_use, &self.content)? {
            return Ok(None);
        }
        if state(&self.content)? != seal.state {
            tracing::warn!(
                "{} was changed by another process; the input is downloaded again",
                self.content.display()
            );
            return Ok(None);
        }
        File::options()
            .write(true)
            .open(&self.seal)?
            .set_modified(now())?;
        Ok(Some(CachedInput {
            path: self.content.clone(),
            _in_use: in_use,
        }))
    }

    /// The seal of a complete entry.
    pub(super) fn seal(&self) -> io::Result<Option<Seal>> {
        match fs::read(&self.seal) {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The content, which no worker can use until the file is dropped; none while a worker uses the content.
    pub(super) fn alone(&self) -> Option<File> {
        let content = File::open(&self.content).ok()?;
        content.try_lock().is_ok().then_some(content)
    }

    /// Keeps the finished part as the entry. Only for the holder of the lock. Blocking.
    pub(super) fn keep(&self, size: u64) -> io::Result<()> {
        protect(&self.part)?;
        fs::rename(&self.part, &self.content)?;
        let state = state(&self.content)?;
        let unfinished = self.seal.with_extension("new");
        fs::write(&unfinished, serde_json::to_vec(&Seal { size, state })?)?;
        fs::rename(unfinished, &self.seal)
    }

    /// Removes all of the entry, the seal first. Only for the holder of the lock. Blocking.
    pub(super) fn remove(&self) -> io::Result<()> {
        for path in [&self.seal, &self.content, &self.part] {
            match fs::remove_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => remove_all(path)?,
                removed => removed?,
            }
        }
        Ok(())
    }
}

/// Takes the right to write from all files.
fn protect(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return fs::set_permissions(path, Permissions::from_mode(0o444));
    }
    for entry in fs::read_dir(path)? {
        protect(&entry?.path())?;
    }
    Ok(())
}

/// A hash over the names and versions of a file, or of a directory and all below it.
fn state(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    add_state(path, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn add_state(path: &Path, hasher: &mut blake3::Hasher) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    hasher.update(&name.len().to_le_bytes()).update(name);
    hasher.update(file_version(&metadata).as_bytes());
    if metadata.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        let mut entries: Vec<_> = entries.collect::<io::Result<_>>()?;
        entries.sort_unstable();
        for entry in entries {
            add_state(&entry, hasher)?;
        }
    }
    hasher.update(b"\n");
    Ok(())
}
