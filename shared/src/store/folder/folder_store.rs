//! Objects as files of a folder.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rustix::fs::ioctl_ficlone;

use super::FolderWalk;
use super::durability;
use super::error::{reading, writing};
use super::file_stat::FileStat;
use super::group_umask;
use super::own_records;
use super::temporary::{TempFile, TempFiles, make_read_only, move_file, second_names, with_parent};
use crate::store::{Entry, ObjectVersion, StoreError, StoreKey, layout};

/// A folder as a store. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::store) struct Folder {
    root: Arc<Path>,
    /// Folder of the stat cache. A folder read on behalf of another store uses that store's cache.
    cache: Option<PathBuf>,
    temp_files: Arc<TempFiles>,
    /// False once the file system has refused a reflink.
    pub(super) reflinks: Arc<AtomicBool>,
}

impl Folder {
    /// Opens the folder at `root`, which must exist.
    pub(in crate::store) fn open(root: &Path) -> Result<Self, StoreError> {
        let refusal = |problem: String| StoreError::Location {
            location: root.display().to_string(),
            problem,
        };
        match fs::metadata(root) {
            Ok(metadata) if metadata.is_dir() => {
                group_umask::share_with_group(&metadata);
                Ok(Self::new(root))
            }
            Ok(_) => Err(refusal("it is not a folder".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(refusal(
                "there is no such folder; create it first".to_owned(),
            )),
            Err(error) => Err(refusal(error.to_string())),
        }
    }

    fn new(root: &Path) -> Self {
        let ours = |key: StoreKey| root.join(key.as_str());
        let temp_files = TempFiles::new(ours(layout::tmp()), ours(layout::recycled()));
        temp_files.sweep();
        Self {
            root: root.into(),
            cache: Some(ours(layout::cache())),
            temp_files: temp_files.into(),
            reflinks: Arc::new(AtomicBool::new(true)),
        }
    }

    /// The same folder with the stat cache of `other`, or without a cache.
    pub(in crate::store) fn with_cache_of(mut self, other: Option<&Self>) -> Self {
        self.cache = other.and_then(|other| other.cache.clone());
        self
    }

    pub(in crate::store) fn root(&self) -> &Path {
        &self.root
    }

    pub(in crate::store) fn path(&self, key: &StoreKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    pub(in crate::store) fn get(&self, key: &StoreKey) -> Result<Bytes, StoreError> {
        if own_records::is_own(key) {
            return own_records::read(&self.root, key);
        }
        fs::read(self.path(key))
            .map(Bytes::from)
            .map_err(|error| reading(key, error))
    }

    pub(in crate::store) fn entry(&self, key: &StoreKey) -> Result<Entry, StoreError> {
        let path = self.path(key);
        let looked = if own_records::is_own(key) {
            fs::symlink_metadata(path)
        } else {
            fs::metadata(path)
        };
        match looked {
            Ok(metadata) if metadata.is_file() => {
                Ok(FileStat::of(&metadata).entry(format!("/{}", key.as_str())))
            }
            Ok(_) => Err(StoreError::Missing { key: key.clone() }),
            Err(error) => Err(reading(key, error)),
        }
    }

    pub(in crate::store) fn put(&self, key: &StoreKey, bytes: &[u8]) -> Result<(), StoreError> {
        self.temp_files
            .record(bytes)
            .and_then(|temp_file| temp_file.replace(&self.path(key)))
            .map_err(|error| writing(key, error))
    }

    pub(in crate::store) fn create(&self, key: &StoreKey, bytes: &[u8]) -> Result<(), StoreError> {
        let made = self.temp_files.record(bytes);
        self.create_from(key, made.map_err(|error| writing(key, error))?)
    }

    fn create_from(&self, key: &StoreKey, mut temp_file: TempFile) -> Result<(), StoreError> {
        match temp_file.create(&self.path(key)) {
            Err(error) if second_names::is_refused(&error) => self.create_locked(key, temp_file),
            created => created.map_err(|error| writing(key, error)),
        }
    }

    /// Creates a file where the file system has no operation that does so: every creator holds the lock of the key.
    fn create_locked(&self, key: &StoreKey, temp_file: TempFile) -> Result<(), StoreError> {
        let _lock = self.lock(key)?;
        let path = self.path(key);
        match fs::symlink_metadata(&path) {
            Ok(_) => Err(StoreError::Exists { key: key.clone() }),
            Err(_) => temp_file
                .replace(&path)
                .map_err(|error| writing(key, error)),
        }
    }

    /// Creates a file that only the user may read, and the group if it shares the folder.
    pub(in crate::store) fn create_private(
        &self,
        key: &StoreKey,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let made = self.temp_files.private(bytes);
        self.create_from(key, made.map_err(|error| writing(key, error))?)
    }

    pub(in crate::store) fn get_versioned(
        &self,
        key: &StoreKey,
    ) -> Result<(Bytes, ObjectVersion), StoreError> {
        let bytes = self.get(key)?;
        let version = version_of(&bytes);
        Ok((bytes, version))
    }

    pub(in crate::store) fn replace(
        &self,
        key: &StoreKey,
        bytes: &[u8],
        version: &ObjectVersion,
    ) -> Result<(), StoreError> {
        let changed = || StoreError::Changed { key: key.clone() };
        let _lock = self.lock(key)?;
        match self.get(key) {
            Ok(current) if version_of(&current) == *version => self.put(key, bytes),
            Ok(_) | Err(StoreError::Missing { .. }) => Err(changed()),
            Err(error) => Err(error),
        }
    }

    /// Waits for the lock of conditional puts at `key`. The kernel releases the lock when the file is closed.
    fn lock(&self, key: &StoreKey) -> Result<File, StoreError> {
        let lock = layout::put_lock(blake3::hash(key.as_str().as_bytes()).as_bytes()[0]);
        self.lock_at(&lock).map_err(|error| match error.kind() {
            io::ErrorKind::IsADirectory => {
                own_records::damaged(&lock, "it is not a file".to_owned())
            }
            _ => writing(&lock, error),
        })
    }

    fn lock_at(&self, lock: &StoreKey) -> io::Result<File> {
        let path = self.path(lock);
        // Opened for writing: a network file system locks exclusively only then.
        let options = || File::options().create(true).append(true).open(&path);
        let file = with_parent(&path, options)?;
        file.lock()?;
        Ok(file)
    }

    pub(in crate::store) fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
        match fs::remove_file(self.path(key)) {
            Err(error) if matches!(error.kind(), NotFound | NotADirectory | IsADirectory) => Ok(()),
            Err(error) => Err(writing(key, error)),
            Ok(()) => {
                self.prune_above(key);
                Ok(())
            }
        }
    }

    /// Forces all writes to the file systems of the store, and of the folders at `keys`, to the disk.
    pub(in crate::store) fn sync(&self, keys: &[StoreKey]) -> Result<(), StoreError> {
        let mut paths = vec![self.root.to_path_buf()];
        paths.extend(keys.iter().map(|key| self.path(key)));
        durability::sync_file_systems(&paths)
            .map_err(|error| writing(&layout::drover_folder(), error))
    }

    /// Forces the file at `key` to the disk.
    pub(in crate::store) fn persist(&self, key: &StoreKey) -> Result<(), StoreError> {
        durability::persist(&self.path(key)).map_err(|error| writing(key, error))
    }

    /// Removes records and keeps their files for recycling.
    pub(in crate::store) fn recycle(&self, keys: &[StoreKey]) -> Result<(), StoreError> {
        let paths: Vec<PathBuf> = keys.iter().map(|key| self.path(key)).collect();
        let recycled = self.temp_files.recycle(&paths);
        recycled.map_err(|error| writing(keys.first().unwrap_or(&layout::recycled()), error))
    }

    /// Removes emptied directories so a file can take their name. Repos stay, and so do Drover's own directories,
    /// which fill again.
    fn prune_above(&self, key: &StoreKey) {
        if key.top() == layout::DROVER_FOLDER {
            return;
        }
        let mut path = self.path(key);
        while path.pop()
            && path
                .parent()
                .is_some_and(|parent| parent.starts_with(&self.root) && *parent != *self.root)
        {
            if fs::remove_dir(&path).is_err() {
                return;
            }
        }
    }

    pub(in crate::store) fn delete_all(&self, prefix: &StoreKey) -> Result<(), StoreError> {
        let removed = if prefix.is_root() {
            fs::read_dir(&self.root).and_then(|entries| {
                entries
                    .flatten()
                    .try_for_each(|entry| remove(&entry.path()))
            })
        } else {
            remove_below(&self.path(prefix))
        };
        removed.map_err(|error| writing(prefix, error))
    }

    pub(in crate::store) fn names(&self, prefix: &StoreKey) -> Result<Vec<String>, StoreError> {
        use io::ErrorKind::{NotADirectory, NotFound};
        let entries = match fs::read_dir(self.path(prefix)) {
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(vec![]),
            entries => entries.map_err(|error| reading(prefix, error))?,
        };
        let mut names = vec![];
        for entry in entries {
            let entry = entry.map_err(|error| reading(prefix, error))?;
            let name = entry.file_name().into_string();
            let mut name = name.map_err(|name| not_utf8(prefix.as_str(), name.as_bytes()))?;
            let is_folder = entry
                .file_type()
                .is_ok_and(|kind| kind.is_dir() || kind.is_symlink() && entry.path().is_dir());
            if is_folder {
                name.push('/');
            }
            names.push(name);
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(in crate::store) fn download(&self, key: &StoreKey, to: &Path) -> Result<u64, StoreError> {
        let mut from = self.open_file(key)?;
        File::create_new(to)
            .and_then(|mut to| io::copy(&mut from, &mut to))
            .map_err(|error| StoreError::Unavailable {
                key: key.clone(),
                source: error.into(),
            })
    }

    /// Opens the file at `key` to read it.
    pub(in crate::store) fn open_file(&self, key: &StoreKey) -> Result<File, StoreError> {
        if own_records::is_own(key) {
            return own_records::open(&self.root, key);
        }
        File::open(self.path(key)).map_err(|error| reading(key, error))
    }

    pub(in crate::store) fn adopt(&self, from: &Path, key: &StoreKey) -> Result<Entry, StoreError> {
        make_read_only(from)
            .and_then(|()| move_file(from, &self.path(key)))
            .map_err(|error| writing(key, error))?;
        self.entry(key)
    }

    /// Copies the file to `key`, with the rights of a new file.
    pub(in crate::store) fn upload(&self, from: &Path, key: &StoreKey) -> Result<(), StoreError> {
        let copy = || {
            let mut source = File::open(from)?;
            let made = self
                .temp_files
                .make(|file| io::copy(&mut source, &mut &*file));
            made?.0.replace(&self.path(key))
        };
        copy().map_err(|error| writing(key, error))
    }

    pub(in crate::store) fn link(
        &self,
        from: &StoreKey,
        to: &StoreKey,
    ) -> Result<Entry, StoreError> {
        let source = self.path(from);
        let target = self.path(to);
        self.entry(from)?;
        let linked = match self.reflink(&source, &target) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.hard_link(&source, &target)
            }
            linked => linked,
        };
        linked.map_err(|error| writing(to, error))?;
        self.entry(to)
    }

    /// A copy that shares its blocks until either file is written; [`io::ErrorKind::Unsupported`] if the file system
    /// has no reflinks.
    fn reflink(&self, from: &Path, to: &Path) -> io::Result<()> {
        if !self.reflinks.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let source = File::open(from)?;
        let made = self
            .temp_files
            .make(|file| Ok(ioctl_ficlone(file, &source)?));
        let Ok((temp_file, ())) = made else {
            self.reflinks.store(false, Ordering::Relaxed);
            return Err(io::ErrorKind::Unsupported.into());
        };
        temp_file.read_only()?;
        temp_file.replace(to)
    }

    /// A second name for the same bytes, or a copy where a second name is refused.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let linked = match with_parent(to, || second_names::link(from, to)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.replace_by_link(from, to)
            }
            linked => linked,
        };
        match linked {
            Err(error) if second_names::is_refused(&error) => self.copy(&[from], to),
            linked => linked,
        }
    }

    fn replace_by_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let temp_file = self.temp_files.temp_file();
        with_parent(temp_file.path(), || {
            second_names::link(from, temp_file.path())
        })?;
        temp_file.replace(to)
    }

    pub(in crate::store) fn concat(
        &self,
        parts: &[StoreKey],
        to: &StoreKey,
    ) -> Result<Entry, StoreError> {
        for part in parts {
            self.entry(part)?;
        }
        let paths: Vec<PathBuf> = parts.iter().map(|part| self.path(part)).collect();
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        self.copy(&paths, &self.path(to))
            .map_err(|error| writing(to, error))?;
        self.entry(to)
    }

    /// Makes `to` a file of the parts' bytes.
    fn copy(&self, parts: &[&Path], to: &Path) -> io::Result<()> {
        let (temp_file, ()) = self.temp_files.make(|file| {
            for part in parts {
                io::copy(&mut File::open(part)?, file)?;
            }
            Ok(())
        })?;
        temp_file.read_only()?;
        temp_file.replace(to)
    }

    /// Makes `to` a second name, or a copy, of the file, link or special file at `from`; false if `from` is missing.
    pub(in crate::store) fn preserve(
        &self,
        from: &StoreKey,
        to: &StoreKey,
    ) -> Result<bool, StoreError> {
        use io::ErrorKind::{NotADirectory, NotFound};
        let source = self.path(from);
        match fs::symlink_metadata(&source) {
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(false),
            Err(error) => Err(reading(from, error)),
            Ok(metadata) if metadata.is_dir() => Ok(false),
            Ok(metadata) if metadata.is_file() => match self.link(from, to) {
                Err(StoreError::Missing { key }) if key == *from => Ok(false),
                linked => linked.map(|_| true),
            },
            Ok(_) => {
                let named = self.replace_by_link(&source, &self.path(to));
                named.map(|()| true).map_err(|error| writing(to, error))
            }
        }
    }

    pub(in crate::store) fn walk(&self, prefix: &StoreKey) -> Result<FolderWalk, StoreError> {
        FolderWalk::new(&self.root, prefix, self.cache.as_deref())
    }
}

/// Removes a file or a directory tree; a missing path is fine.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => remove_below(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes a directory tree; a file is left alone.
fn remove_below(path: &Path) -> io::Result<()> {
    use io::ErrorKind::{DirectoryNotEmpty, NotADirectory, NotFound};
    for _ in 0..10 {
        match fs::remove_dir_all(path) {
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(()),
            // Another process wrote into the directory meanwhile.
            Err(error) if error.kind() == DirectoryNotEmpty => {}
            removed => return removed,
        }
    }
    fs::remove_dir_all(path)
}

/// The error for a name in `folder` that is not UTF-8.
fn not_utf8(folder: &str, name: &[u8]) -> StoreError {
    StoreError::Name {
        name: format!("{folder}/{}", String::from_utf8_lossy(name)),
        problem: "it is not UTF-8; rename the file",
    }
}

fn version_of(bytes: &[u8]) -> ObjectVersion {
    ObjectVersion {
        e_tag: Some(blake3::hash(bytes).to_string()),
        version: None,
    }
}
