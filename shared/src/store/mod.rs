//! The store: a folder or a bucket that holds inputs, outputs and Drover's own records.
//!
//! The only room that knows `object_store`. A local folder is served by `std::fs` directly: that
//! gives hard links, a sorted walk, every UTF-8 name, and no detour per datum.

pub mod layout;

mod error;
mod key;
mod location;
mod walk;

pub use error::StoreError;
pub use key::StoreKey;
pub use location::Location;
pub use walk::{Entry, Walk};

use std::path::{Path, PathBuf};

use bytes::Bytes;

/// A folder or bucket, opened. Cheap to clone.
///
/// Every operation is atomic for its key and may be repeated; calls that block run off the async threads.
#[derive(Clone, Debug)]
pub struct Store {}

impl Store {
    /// Opens the store at `location`. A local folder must exist.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        todo!("{location:?}")
    }

    /// A store in memory, for tests.
    pub fn in_memory() -> Self {
        todo!()
    }

    /// Where it is, without credentials, for messages.
    pub fn location(&self) -> &Location {
        todo!()
    }

    /// The folder, when the store is one.
    pub fn local_root(&self) -> Option<&Path> {
        todo!()
    }

    /// The file behind `key`, when the store is a folder; it need not exist.
    pub fn local_path(&self, key: &StoreKey) -> Option<PathBuf> {
        todo!("{key:?}")
    }

    /// The bytes at `key`; [`StoreError::Missing`] if there are none.
    pub async fn get(&self, key: &StoreKey) -> Result<Bytes, StoreError> {
        todo!("{key:?}")
    }

    /// Puts `bytes` at `key`, replacing what was there, all or nothing.
    pub async fn put(&self, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
        todo!("{key:?} {bytes:?}")
    }

    /// Puts `bytes` at `key` unless something is there: then [`StoreError::Exists`], and of several
    /// writers at once exactly one succeeds.
    pub async fn create(&self, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
        todo!("{key:?} {bytes:?}")
    }

    /// Removes `key`; it is no error if there is none.
    pub async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        todo!("{key:?}")
    }

    /// Removes all below `prefix` (and, in a folder, the emptied directories).
    pub async fn delete_all(&self, prefix: &StoreKey) -> Result<(), StoreError> {
        todo!("{prefix:?}")
    }

    /// The names directly below `prefix`, sorted: files and (with a trailing `/`) directories.
    /// Empty if there is no such prefix.
    pub async fn names(&self, prefix: &StoreKey) -> Result<Vec<String>, StoreError> {
        todo!("{prefix:?}")
    }

    /// Copies the object at `key` into the file `to`, which must not exist. Returns its size.
    pub async fn download(&self, key: &StoreKey, to: &Path) -> Result<u64, StoreError> {
        todo!("{key:?} {to:?}")
    }

    /// Moves the file `from` to `key`: a rename in a folder of the same file system, else an upload
    /// (multipart when large) after which the file is removed. The stored file is read-only.
    pub async fn adopt(&self, from: &Path, key: &StoreKey) -> Result<(), StoreError> {
        todo!("{from:?} {key:?}")
    }

    /// Makes `to` hold what `from` holds, replacing what was there, all or nothing: a reflink or hard link
    /// in a folder, a server-side copy in a bucket. Returns the new object's entry.
    pub async fn link(&self, from: &StoreKey, to: &StoreKey) -> Result<Entry, StoreError> {
        todo!("{from:?} {to:?}")
    }

    /// Makes `to` hold the parts one after the other, replacing what was there, all or nothing.
    pub async fn concat(&self, parts: &[StoreKey], to: &StoreKey) -> Result<Entry, StoreError> {
        todo!("{parts:?} {to:?}")
    }

    /// All files below `prefix`, in byte order of their full keys, lazily. Blocking: for a thread of its own.
    /// [`StoreError::Missing`] if `prefix` is not a folder of a local store.
    pub fn walk(&self, prefix: &StoreKey) -> Result<Walk, StoreError> {
        todo!("{prefix:?}")
    }
}
