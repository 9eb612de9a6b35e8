//! A handle for every kind of store.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::OFlags;
use tokio::task::spawn_blocking;

use super::bucket::Bucket;
use super::folder::Folder;
use super::walk::WalkBackend;
use super::{Entry, Location, NamesPage, ObjectVersion, StoreError, StoreKey, Walk};

/// Longest key of S3, Google Cloud Storage and Azure.
const MOST_KEY_BYTES: usize = 1024;

/// Longest path for the kernel, with the zero byte at the end.
const MOST_PATH_BYTES: usize = 4096;

/// An open folder or bucket. Cheap to clone.
///
/// Every operation is atomic for its key and may be repeated; blocking calls run on blocking threads.
#[derive(Clone, Debug)]
pub struct Store {
    location: Location,
    backend: StoreBackend,
    #[cfg(any(test, feature = "testing"))]
    watcher: super::testing::Watcher,
}

#[derive(Clone, Debug)]
enum StoreBackend {
    Folder(Folder),
    Bucket(Bucket),
}

impl Store {
    /// Opens the store at `location`. A local folder must exist, a bucket must answer.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        let backend = match location {
            Location::Folder(root) => StoreBackend::Folder(Folder::open(root)?),
            Location::Bucket(url) => StoreBackend::Bucket(Bucket::open(url).await?),
            Location::Memory => StoreBackend::Bucket(Bucket::in_memory()),
        };
        Ok(Self::with(location.clone(), backend))
    }

    /// A store in memory, for tests.
    pub fn in_memory() -> Self {
        let backend = StoreBackend::Bucket(Bucket::in_memory());
        Self::with(Location::Memory, backend)
    }

    fn with(location: Location, backend: StoreBackend) -> Self {
        Self {
            location,
            backend,
            #[cfg(any(test, feature = "testing"))]
            watcher: super::testing::Watcher::default(),
        }
    }

    /// The same store, which tells its changes to `watcher`.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn watched(self, watcher: super::testing::Watcher) -> Self {
        Self { watcher, ..self }
    }

    /// A store in memory over `objects`, for tests.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn with_objects(objects: std::sync::Arc<dyn object_store::ObjectStore>) -> Self {
        Self {
            location: Location::Memory,
            backend: StoreBackend::Bucket(Bucket::new(objects)),
            watcher: super::testing::Watcher::default(),
        }
    }

    /// The same store with the stat cache of `other`.
    pub(super) fn with_cache_of(self, other: &Self) -> Self {
        let backend = match (self.backend, &other.backend) {
            (StoreBackend::Folder(folder), StoreBackend::Folder(other)) => {
                StoreBackend::Folder(folder.with_cache_of(Some(other)))
            }
            (StoreBackend::Folder(folder), StoreBackend::Bucket(_)) => {
                StoreBackend::Folder(folder.with_cache_of(None))
            }
            (bucket, _) => bucket,
        };
        Self { backend, ..self }
    }

    /// Location of the store, without credentials.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Root folder, if the store is a folder.
    pub fn local_root(&self) -> Option<&Path> {
        match &self.backend {
            StoreBackend::Folder(folder) => Some(folder.root()),
            StoreBackend::Bucket(_) => None,
        }
    }

    /// Path of the file at `key`, if the store is a folder; the file need not exist.
    pub fn local_path(&self, key: &StoreKey) -> Option<PathBuf> {
        match &self.backend {
            StoreBackend::Folder(folder) => Some(folder.path(key)),
            StoreBackend::Bucket(_) => None,
        }
    }

    /// Reason why no object can have the key: the name is too long for the store.
    pub fn problem_with(&self, key: &StoreKey) -> Option<&'static str> {
        let name = match (&self.location, self.local_path(key)) {
            (Location::Bucket(url), _) => {
                return (url.path().len() + key.as_str().len() > MOST_KEY_BYTES)
                    .then_some("its key in the bucket has more than 1,024 bytes");
            }
            (_, Some(path)) => path,
            (_, None) => return None,
        };
        (name.as_os_str().len() >= MOST_PATH_BYTES)
            .then_some("its path in the store has more than 4,095 bytes")
    }

    /// Opens an object as a local file; none for other stores. Links are not followed and only regular files are opened, since
    /// a command that reaches the store could have put something else there. Blocking.
    pub fn open_local(&self, key: &StoreKey) -> Option<io::Result<File>> {
        let path = self.local_path(key)?;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
        Some(opened.and_then(|file| {
            if file.metadata()?.is_file() {
                Ok(file)
            } else {
                Err(io::Error::other("it is no regular file"))
            }
        }))
    }

    /// Bytes at `key`; [`StoreError::Missing`] if the key does not exist.
    pub async fn get(&self, key: &StoreKey) -> Result<Bytes, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, key) = (folder.clone(), key.clone());
                run_blocking(move || folder.get(&key)).await
            }
            StoreBackend::Bucket(bucket) => bucket.get(key).await,
        }
    }

    /// Bytes at `key` and their version, for [`Store::replace`].
    pub async fn get_versioned(
        &self,
        key: &StoreKey,
    ) -> Result<(Bytes, ObjectVersion), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, key) = (folder.clone(), key.clone());
                run_blocking(move || folder.get_versioned(&key)).await
            }
            StoreBackend::Bucket(bucket) => bucket.get_versioned(key).await,
        }
    }

    /// Replaces the object at `key` if it still has the version, else [`StoreError::Changed`]. A folder locks the key
    /// for the moment; the lock ends with its process. A bucket puts conditionally on the `e_tag`. On a bucket, the
    /// changed object may be the caller's own, as with [`Store::create`].
    pub async fn replace(
        &self,
        key: &StoreKey,
        bytes: Bytes,
        version: &ObjectVersion,
    ) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, key, version) = (folder.clone(), key.clone(), version.clone());
                self.change(move || folder.replace(&key, &bytes, &version))
                    .await
            }
            StoreBackend::Bucket(bucket) => bucket.replace(key, bytes, version).await,
        }
    }

    /// Entry of `key`; [`StoreError::Missing`] if the key does not exist.
    pub async fn entry(&self, key: &StoreKey) -> Result<Entry, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, key) = (folder.clone(), key.clone());
                run_blocking(move || folder.entry(&key)).await
            }
            StoreBackend::Bucket(bucket) => bucket.entry(key).await,
        }
    }

    /// Stores `bytes` at `key` atomically, replacing an existing object.
    pub async fn put(&self, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, key) = (folder.clone(), key.clone());
                self.change(move || folder.put(&key, &bytes)).await
            }
            StoreBackend::Bucket(bucket) => bucket.put(key, bytes).await,
        }
    }

    /// Stores `bytes` at `key` if the key does not exist, else [`StoreError::Exists`]; of several concurrent writers
    /// exactly one succeeds. On a bucket, the existing object may be the caller's own: the answer was lost and the
    /// request repeated. A caller that must know makes the bytes unique and compares.
    pub async fn create(&self, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, key) = (folder.clone(), key.clone());
                self.change(move || folder.create(&key, &bytes)).await
            }
            StoreBackend::Bucket(bucket) => bucket.create(key, bytes).await,
        }
    }

    /// [Creates](Store::create) an object that only its owner may read: on a folder, a file for the user alone, and for
    /// the group if the group shares the folder. On a bucket, the rights are those of the bucket.
    pub async fn create_private(&self, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, key) = (folder.clone(), key.clone());
                run_blocking(move || folder.create_private(&key, &bytes)).await
            }
            StoreBackend::Bucket(bucket) => bucket.create(key, bytes).await,
        }
    }

    /// Removes `key`; a missing key is no error. On a folder, emptied directories (except repos) are removed too, so
    /// that a file can take their name.
    pub async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.delete_each(vec![key.clone()]).await
    }

    /// Removes all `keys`; see [`Store::delete`].
    pub async fn delete_each(&self, keys: Vec<StoreKey>) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let folder = folder.clone();
                self.change(move || keys.iter().try_for_each(|key| folder.delete(key)))
                    .await
            }
            StoreBackend::Bucket(bucket) => bucket.delete_each(keys).await,
        }
    }

    /// Forces everything that was written so far to the disk, in the store and in the folders at `keys`, which may lie on other
    /// file systems. A bucket keeps every confirmed object, so nothing is to be forced.
    pub async fn sync(&self, keys: &[StoreKey]) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                #[cfg(any(test, feature = "testing"))]
                self.watcher.syncs();
                let (folder, keys) = (folder.clone(), keys.to_vec());
                self.change(move || folder.sync(&keys)).await
            }
            StoreBackend::Bucket(_) => Ok(()),
        }
    }

    /// Forces the object at `key` to the disk; see [`Store::sync`].
    pub async fn persist(&self, key: &StoreKey) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                #[cfg(any(test, feature = "testing"))]
                self.watcher.persists(key);
                let (folder, key) = (folder.clone(), key.clone());
                self.change(move || folder.persist(&key)).await
            }
            StoreBackend::Bucket(_) => Ok(()),
        }
    }

    /// Removes records for readers of Drover alone. A folder recycles the files: a concurrent reader may see the bytes of
    /// another record, or a part of them, and must read again.
    pub(crate) async fn recycle_each(&self, keys: Vec<StoreKey>) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let folder = folder.clone();
                self.change(move || folder.recycle(&keys)).await
            }
            StoreBackend::Bucket(bucket) => bucket.delete_each(keys).await,
        }
    }

    /// Removes all below `prefix` (and, in a folder, the emptied directories).
    pub async fn delete_all(&self, prefix: &StoreKey) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, prefix) = (folder.clone(), prefix.clone());
                self.change(move || folder.delete_all(&prefix)).await
            }
            StoreBackend::Bucket(bucket) => bucket.delete_all(prefix).await,
        }
    }

    /// Names directly below `prefix`, sorted: files, and directories with a trailing `/`. Empty if the prefix does not
    /// exist.
    pub async fn names(&self, prefix: &StoreKey) -> Result<Vec<String>, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, prefix) = (folder.clone(), prefix.clone());
                run_blocking(move || folder.names(&prefix)).await
            }
            StoreBackend::Bucket(bucket) => bucket.names(prefix).await,
        }
    }

    /// The [names](Store::names) directly below `prefix` and greater than `after`. A bucket lists one page of them, with
    /// one request; a folder lists all.
    pub async fn names_after(
        &self,
        prefix: &StoreKey,
        after: &str,
    ) -> Result<NamesPage, StoreError> {
        match &self.backend {
            StoreBackend::Folder(_) => {
                let names = self.names(prefix).await?;
                Ok(NamesPage::cut(names, after, usize::MAX))
            }
            StoreBackend::Bucket(bucket) => bucket.names_after(prefix, after).await,
        }
    }

    /// Downloads the object at `key` into the file `to`, which must not exist. Returns the size.
    pub async fn download(&self, key: &StoreKey, to: &Path) -> Result<u64, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, key, to) = (folder.clone(), key.clone(), to.to_owned());
                run_blocking(move || folder.download(&key, &to)).await
            }
            StoreBackend::Bucket(bucket) => bucket.download(key, None, to).await,
        }
    }

    /// Like [`Store::download`], but fails with [`StoreError::Changed`] if the object differs from the listing by its
    /// [`Entry::version`] or [`Walk::tag`]. A folder does not check the version.
    pub async fn download_listed(
        &self,
        key: &StoreKey,
        listed: &str,
        to: &Path,
    ) -> Result<u64, StoreError> {
        match &self.backend {
            StoreBackend::Folder(_) => self.download(key, to).await,
            StoreBackend::Bucket(bucket) => bucket.download(key, Some(listed), to).await,
        }
    }

    /// True if the object at `key` is the one of a listing, by its [`Entry::version`] or [`Walk::tag`]; false if it is missing.
    /// A folder does not check the version.
    pub async fn has_version(&self, key: &StoreKey, listed: &str) -> Result<bool, StoreError> {
        match &self.backend {
            StoreBackend::Folder(_) => Ok(true),
            StoreBackend::Bucket(bucket) => bucket.has_version(key, listed).await,
        }
    }

    /// Moves the file `from` to `key`: a rename in a folder of the same file system, else an upload
    /// (multipart when large) after which the file is removed. The stored file is read-only.
    pub async fn adopt(&self, from: &Path, key: &StoreKey) -> Result<(), StoreError> {
        let files = vec![(from.to_owned(), key.clone())];
        self.adopt_each(files).await.map(drop)
    }

    /// Copies the file `from` to `key`, atomically and in the place of an earlier object (multipart when large).
    pub async fn upload(&self, from: &Path, key: &StoreKey) -> Result<(), StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, from, key) = (folder.clone(), from.to_owned(), key.clone());
                self.change(move || folder.upload(&from, &key)).await
            }
            StoreBackend::Bucket(bucket) => bucket.upload(from, key).await,
        }
    }

    /// Moves every file to its key; see [`Store::adopt`]. Returns the entries of the stored files in the same order; a
    /// bucket returns none, as each entry would cost a request.
    pub async fn adopt_each(
        &self,
        files: Vec<(PathBuf, StoreKey)>,
    ) -> Result<Vec<Entry>, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let folder = folder.clone();
                self.change(move || {
                    files
                        .iter()
                        .map(|(from, key)| folder.adopt(from, key))
                        .collect()
                })
                .await
            }
            StoreBackend::Bucket(bucket) => bucket.adopt_each(files).await.map(|()| Vec::new()),
        }
    }

    /// Makes `to` an atomic copy of `from`, replacing an existing object: a reflink or hard link in a folder, a
    /// server-side copy in a bucket. Returns the new object's entry; a bucket returns none, as the entry would cost a request.
    pub async fn link(&self, from: &StoreKey, to: &StoreKey) -> Result<Option<Entry>, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, from, to) = (folder.clone(), from.clone(), to.clone());
                self.change(move || folder.link(&from, &to).map(Some)).await
            }
            StoreBackend::Bucket(bucket) => bucket.link(from, to).await.map(|()| None),
        }
    }

    /// Makes `to` what lies at `from`: as [`Store::link`], and for links and special files of a folder, too. False if nothing
    /// lies at `from`.
    pub async fn preserve(&self, from: &StoreKey, to: &StoreKey) -> Result<bool, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, from, to) = (folder.clone(), from.clone(), to.clone());
                self.change(move || folder.preserve(&from, &to)).await
            }
            StoreBackend::Bucket(bucket) => match bucket.link(from, to).await {
                Err(StoreError::Missing { .. }) => Ok(false),
                linked => linked.map(|()| true),
            },
        }
    }

    /// Makes `to` the concatenation of the parts, atomically, replacing an existing object. Returns what [`Store::link`] does.
    pub async fn concat(
        &self,
        parts: &[StoreKey],
        to: &StoreKey,
    ) -> Result<Option<Entry>, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let (folder, parts, to) = (folder.clone(), parts.to_vec(), to.clone());
                self.change(move || folder.concat(&parts, &to).map(Some))
                    .await
            }
            StoreBackend::Bucket(bucket) => bucket.concat(parts, to).await.map(|()| None),
        }
    }

    /// All files below `prefix`, in byte order of their full keys, lazily. Blocking: run on a thread of its own.
    /// [`StoreError::Missing`] if `prefix` is not a folder of a local store.
    pub fn walk(&self, prefix: &StoreKey) -> Result<Walk, StoreError> {
        self.walk_within(prefix, prefix)
    }

    /// Like [`Store::walk`], but follows no links: links and special files of a folder are entries like any other.
    pub fn walk_names(&self, prefix: &StoreKey) -> Result<Walk, StoreError> {
        match &self.backend {
            StoreBackend::Folder(folder) => {
                let walk = folder.walk(prefix)?.of_all_names();
                Ok(Walk::new(WalkBackend::Folder(Box::new(walk))))
            }
            StoreBackend::Bucket(_) => self.walk(prefix),
        }
    }

    /// Like [`Store::walk`], but a bucket lists only `within`, a folder below `prefix`. A folder walks everything
    /// unless the walk is [pruned](Walk::pruned).
    pub fn walk_within(&self, prefix: &StoreKey, within: &StoreKey) -> Result<Walk, StoreError> {
        let source = match &self.backend {
            StoreBackend::Folder(folder) => WalkBackend::Folder(Box::new(folder.walk(prefix)?)),
            StoreBackend::Bucket(bucket) => {
                WalkBackend::Bucket(Box::new(bucket.walk(prefix, within)?))
            }
        };
        Ok(Walk::new(source))
    }
}

impl Store {
    /// Changes a folder, on a blocking thread.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = run_blocking(work).await;
        #[cfg(any(test, feature = "testing"))]
        self.watcher.changed();
        done
    }
}

/// Runs blocking work on a blocking thread.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(StoreError::Unavailable {
            key: StoreKey::root(),
            source: error.into(),
        }),
    }
}
