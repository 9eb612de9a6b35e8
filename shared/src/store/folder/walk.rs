//! The sorted walk over a folder: depth first, with the names of one directory per level in memory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use super::error::reading;
use super::file_stat::{FileStat, nanoseconds};
use super::links::LinkBounds;
use super::listing::{DirectoryListing, EntryKind};
use super::stat_cache::{ContentHash, StatCache};
use crate::store::ContentTag;
use crate::store::{Entry, StoreError, StoreKey};

/// Bytes of a file read at once while hashing.
const HASH_BYTES: usize = 128 * 1024;

/// All files below a folder, in byte order of their paths.
pub(in crate::store) struct FolderWalk {
    folder: PathBuf,
    prefix: StoreKey,
    bounds: LinkBounds,
    levels: Vec<DirectoryLevel>,
    /// Attributes of the last returned entry.
    current: Option<FileStat>,
    cache: StatCache,
    buffer: Vec<u8>,
    /// False if links and special files are entries like any other.
    is_input: bool,
}

/// A directory on the current path of the walk.
struct DirectoryLevel {
    directory: OwnedFd,
    /// Path below the walked folder: empty, or beginning with `/`.
    path: String,
    identity: (u64, u64),
    listing: DirectoryListing,
}

/// The next name and its kind.
struct WalkedName {
    path: String,
    kind: EntryKind,
}

impl FolderWalk {
    pub(super) fn new(
        root: &Path,
        prefix: &StoreKey,
        cache: Option<&Path>,
    ) -> Result<Self, StoreError> {
        let folder = root.join(prefix.as_str());
        let bounds = LinkBounds::new(root, &folder).map_err(|error| reading(prefix, error))?;
        let mut walk = Self {
            cache: StatCache::open(cache, bounds.walked()),
            folder,
            prefix: prefix.clone(),
            bounds,
            levels: vec![],
            current: None,
            buffer: vec![],
            is_input: true,
        };
        let directory =
            open_directory(&walk.folder).map_err(|error| reading(prefix, error.into()))?;
        walk.enter(directory, String::new())
            .map_err(|error| reading(prefix, error.into()))?;
        Ok(walk)
    }

    /// A walk without following links: links and special files are entries, too.
    pub(in crate::store) fn of_all_names(self) -> Self {
        Self {
            is_input: false,
            ..self
        }
    }

    /// The next file in included directories.
    pub(in crate::store) fn advance(
        &mut self,
        included: &dyn Fn(&str) -> bool,
    ) -> Option<Result<Entry, StoreError>> {
        loop {
            let found = match self.next_name()? {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            let step = match found.kind {
                EntryKind::LinkedDirectory | EntryKind::LinkedFile | EntryKind::Special
                    if !self.is_input =>
                {
                    self.entry_of(found.path)
                }
                EntryKind::Directory | EntryKind::LinkedDirectory if !included(&found.path) => {
                    self.cache.keep_below(&found.path);
                    Ok(None)
                }
                EntryKind::Directory | EntryKind::LinkedDirectory => {
                    self.descend(&found).map(|()| None)
                }
                EntryKind::File | EntryKind::LinkedFile => self.file(found),
                EntryKind::Special => Err(self.irregular(
                    &found.path,
                    "it is a device, FIFO or socket; remove or exclude it",
                )),
            };
            if let Some(step) = step.transpose() {
                return Some(step);
            }
        }
    }

    /// The next name of the innermost directory that has one; none at the end of the walk.
    fn next_name(&mut self) -> Option<Result<WalkedName, StoreError>> {
        while let Some(level) = self.levels.last_mut() {
            if let Some((name, kind)) = level.listing.next() {
                return Some(match std::str::from_utf8(name) {
                    Ok(name) => Ok(WalkedName {
                        path: format!("{}/{name}", level.path),
                        kind,
                    }),
                    Err(_) => Err(StoreError::Irregular {
                        path: format!(
                            "{}{}/{}",
                            self.prefix.as_str(),
                            level.path,
                            String::from_utf8_lossy(name)
                        ),
                        problem: "its name is not UTF-8; rename or exclude it",
                    }),
                });
            }
            self.levels.pop();
        }
        self.cache.finish();
        None
    }

    fn descend(&mut self, found: &WalkedName) -> Result<(), StoreError> {
        let opened = if found.kind == EntryKind::LinkedDirectory {
            let target = self.follow(&found.path)?;
            open_directory(&target)
        } else {
            self.open_in_level(&found.path)
        };
        let entered = opened.and_then(|directory| self.enter(directory, found.path.clone()));
        match entered {
            // The directory may be gone or replaced since its parent was read.
            Ok(true) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Ok(false) => Err(self.irregular(
                &found.path,
                "it is a link to a directory above it; remove the link",
            )),
            Err(error) => Err(self.failed(&found.path, error.into())),
        }
    }

    /// Opens a directory of the innermost level by its whole path, without following a link.
    fn open_in_level(&self, path: &str) -> Result<OwnedFd, Errno> {
        let level = self.levels.last().ok_or(Errno::NOENT)?;
        openat(
            &level.directory,
            last_segment(path),
            directory_flags() | OFlags::NOFOLLOW,
            Mode::empty(),
        )
    }

    /// Makes `directory` the innermost level; false if the directory is on the current path already.
    fn enter(&mut self, directory: OwnedFd, path: String) -> Result<bool, Errno> {
        let stat = fstat(&directory)?;
        let identity = (stat.st_dev, stat.st_ino);
        if self.levels.iter().any(|level| level.identity == identity) {
            return Ok(false);
        }
        let listing = DirectoryListing::read(&directory, self.levels.is_empty())?;
        self.levels.push(DirectoryLevel {
            directory,
            path,
            identity,
            listing,
        });
        Ok(true)
    }

    fn file(&mut self, found: WalkedName) -> Result<Option<Entry>, StoreError> {
        if found.kind == EntryKind::LinkedFile {
            let target = self.follow(&found.path)?;
            if target.metadata().is_ok_and(|metadata| !metadata.is_file()) {
                return Err(self.irregular(
                    &found.path,
                    "it is a link to a device, FIFO or socket; remove or exclude it",
                ));
            }
        }
        self.entry_of(found.path)
    }

    /// The entry of the path in the innermost level; of a link itself, unless links are followed.
    fn entry_of(&mut self, path: String) -> Result<Option<Entry>, StoreError> {
        let Some(level) = self.levels.last() else {
            return Ok(None);
        };
        let flags = if self.is_input {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        };
        match statat(&level.directory, last_segment(&path), flags) {
            Ok(stat) => {
                let stat = FileStat {
                    inode: stat.st_ino,
                    modified_ns: nanoseconds(
                        stat.st_mtime,
                        i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
                    ),
                    changed_ns: nanoseconds(
                        stat.st_ctime,
                        i64::try_from(stat.st_ctime_nsec).unwrap_or_default(),
                    ),
                    size: u64::try_from(stat.st_size).unwrap_or_default(),
                };
                self.cache.pass(&path);
                self.current = Some(stat);
                Ok(Some(stat.entry(path)))
            }
            // The file is gone since its directory was read.
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed(&path, error.into())),
        }
    }

    /// The hash of the bytes of the entry just returned.
    pub(in crate::store) fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError> {
        let listed = self.current.take();
        if let Some(stat) = listed
            && let Some(hash) = self.cache.recall(&entry.path, stat)
        {
            return Ok(tag_of(hash));
        }
        // Taken before the read: a change during a long read must not look old at its end.
        let read_at = Timestamp::now();
        let (hash, stat) = self
            .hash(&entry.path)
            .map_err(|error| self.failed(&entry.path, error))?;
        if listed == Some(stat) {
            self.cache.remember(&entry.path, stat, hash, read_at);
        }
        Ok(tag_of(hash))
    }

    /// Hashes the file; returns the hash and the attributes before the read.
    fn hash(&mut self, path: &str) -> io::Result<(ContentHash, FileStat)> {
        // Not to hang, should a FIFO have taken the file's place.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(
            self.folder.join(&path[1..]),
            flags,
            Mode::empty(),
        )?);
        let before = FileStat::of(&file.metadata()?);
        self.buffer.resize(HASH_BYTES, 0);
        let mut hasher = blake3::Hasher::new();
        // No additional read for the end of the file: most files are small, and a folder may hold millions.
        let mut left = before.size;
        while left > 0 {
            let read = file.read(&mut self.buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&self.buffer[..read]);
            left = left.saturating_sub(read as u64);
        }
        let mut hash = ContentHash::default();
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Ok((hash, before))
    }

    fn follow(&self, path: &str) -> Result<PathBuf, StoreError> {
        self.bounds
            .follow(&self.folder.join(&path[1..]))
            .map_err(|problem| self.irregular(path, problem))
    }

    fn irregular(&self, path: &str, problem: &'static str) -> StoreError {
        StoreError::Irregular {
            path: self.prefix.with(&path[1..]).to_string(),
            problem,
        }
    }

    fn failed(&self, path: &str, error: io::Error) -> StoreError {
        reading(&self.prefix.with(&path[1..]), error)
    }
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, directory_flags(), Mode::empty())
}

fn last_segment(path: &str) -> &OsStr {
    OsStr::from_bytes(path.rsplit('/').next().unwrap_or_default().as_bytes())
}

fn tag_of(hash: ContentHash) -> ContentTag {
    ContentTag::new(format!("blake3:{:032x}", u128::from_be_bytes(hash)))
}
