//! The sorted walk over files below a prefix.

use super::bucket::BucketWalk;
use super::folder::FolderWalk;
use super::{Entry, StoreError};
use crate::datum::ContentTag;

/// All files below a prefix in byte order of their keys, lazily. Blocking.
///
/// In a folder, links are followed inside the store; what cannot be an input (a link that leaves it, a
/// device …) is an error at its turn, after which the walk goes on.
pub struct Walk {
    source: Source,
    wanted: Box<dyn Fn(&str) -> bool + Send>,
}

/// Where the entries come from.
pub(super) enum Source {
    Folder(Box<FolderWalk>),
    Bucket(Box<BucketWalk>),
}

impl Walk {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            wanted: Box::new(|_| true),
        }
    }

    /// What stands for the content of the entry just returned: for a local file a hash of its bytes,
    /// remembered in the stat cache; for a bucket what the listing told.
    pub fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError> {
        match &mut self.source {
            Source::Folder(walk) => walk.tag(entry),
            Source::Bucket(_) => Ok(ContentTag::new(entry.version.as_str())),
        }
    }

    /// Does not descend into directories for which `wanted` (given the directory's path, `/a/b`) is false.
    #[must_use]
    pub fn pruned(self, wanted: impl Fn(&str) -> bool + Send + 'static) -> Self {
        Self {
            wanted: Box::new(wanted),
            ..self
        }
    }
}

impl Iterator for Walk {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Folder(walk) => walk.advance(&self.wanted),
            Source::Bucket(walk) => walk.advance(&self.wanted),
        }
    }
}
