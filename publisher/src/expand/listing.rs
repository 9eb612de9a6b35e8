//! Where the files of a leaf are listed: a store's sorted walk, or a list in memory.

use drover_shared::datum::ContentTag;
use drover_shared::pipeline::PfsInput;
use drover_shared::store::{Entry, StoreError, Walk};

use super::ExpandError;

/// Whether a walk need descend into a directory, given its path (`/a/b`).
pub type Wanted = Box<dyn Fn(&str) -> bool + Send>;

/// Files in byte order of their paths, lazily.
pub trait Listing: Iterator<Item = Result<Entry, StoreError>> + Send {
    /// What stands for the content of the entry just returned.
    fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError>;
}

/// Finds the files of each leaf.
pub trait Listings {
    /// Lists a leaf's repo; directories that are not `wanted` may be left out.
    fn list(&self, leaf: &PfsInput, wanted: Wanted) -> Result<Box<dyn Listing>, ExpandError>;
}

impl Listing for Walk {
    fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError> {
        Walk::tag(self, entry)
    }
}
