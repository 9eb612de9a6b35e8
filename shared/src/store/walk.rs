//! The sorted walk over files below a prefix.

use super::{StoreError, StoreKey};
use crate::datum::ContentTag;

/// A file in the store, as a listing shows it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path below the walked prefix, beginning with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Changes when the object is replaced or written to: inode, mtime and size for files, e_tag or
    /// modification time for buckets. Cheap; says nothing about equal content elsewhere.
    pub version: String,
}

/// All files below a prefix in byte order of their keys, lazily. Blocking.
pub struct Walk {}

impl Iterator for Walk {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}

impl Walk {
    /// What stands for the content of the entry just returned: for a local file a hash of its bytes,
    /// remembered in the stat cache; for a bucket what the listing told.
    pub fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError> {
        todo!("{entry:?}")
    }

    /// Does not descend into directories for which `wanted` (given the directory's path, `/a/b`) is false.
    #[must_use]
    pub fn pruned(self, wanted: impl Fn(&str) -> bool + Send + 'static) -> Self {
        let _ = (wanted, StoreKey::default());
        self
    }
}
