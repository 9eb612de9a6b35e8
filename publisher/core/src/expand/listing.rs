//! Listings of a leaf's files: a sorted walk of a store, or a list in memory.

use drover_shared::datum::{CodeFile, ContentTag};
use drover_shared::pipeline::PfsInput;
use drover_shared::store::{Entry, StoreError};

use super::Selection;

/// Files in byte order of their paths, lazily. Blocking.
pub trait Listing: Iterator<Item = Result<Entry, StoreError>> + Send {
    /// The content tag of the entry just returned.
    fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError>;
}

/// Finds the files of each leaf, and the code files of the pipeline.
pub trait Listings: Send + Sync {
    /// The code files, whose content is part of the identity of the work.
    fn code(&self) -> &[CodeFile] {
        &[]
    }

    /// Lists a leaf's repo. Files outside of the selection may be left out.
    fn list(&self, leaf: &PfsInput, selection: &Selection) -> Result<Box<dyn Listing>, StoreError>;
}
