//! The sorted walk over files below a prefix.

use super::ContentTag;
use super::bucket::BucketWalk;
use super::folder::FolderWalk;
use super::{Entry, StoreError};

/// All files below a prefix in byte order of their keys, lazily. Blocking.
///
/// In a folder, links are followed inside the store. An entry that cannot be an input (a link that leaves the store, a
/// device …) is an error in its turn, after which the walk continues.
pub struct Walk {
    backend: WalkBackend,
    included: Box<dyn Fn(&str) -> bool + Send>,
}

/// Where the entries come from.
pub(super) enum WalkBackend {
    Folder(Box<FolderWalk>),
    Bucket(Box<BucketWalk>),
}

impl Walk {
    pub(super) fn new(backend: WalkBackend) -> Self {
        Self {
            backend,
            included: Box::new(|_| true),
        }
    }

    /// Content tag of the last returned entry: for a local file a hash of the bytes, remembered in the stat cache; for
    /// a bucket the listed version.
    pub fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError> {
        match &mut self.backend {
            WalkBackend::Folder(walk) => walk.tag(entry),
            WalkBackend::Bucket(_) => Ok(ContentTag::new(entry.version.as_str())),
        }
    }

    /// Does not descend into directories for which `included` (given the directory's path, `/a/b`) is false.
    #[must_use]
    pub fn pruned(self, included: impl Fn(&str) -> bool + Send + 'static) -> Self {
        Self {
            included: Box::new(included),
            ..self
        }
    }
}

impl Iterator for Walk {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.backend {
            WalkBackend::Folder(walk) => walk.advance(&self.included),
            WalkBackend::Bucket(walk) => walk.advance(&self.included),
        }
    }
}
