//! Where the files of a leaf are listed: a store's sorted walk, or a list in memory.

use drover_shared::datum::ContentTag;
use drover_shared::pipeline::PfsInput;
use drover_shared::store::{Entry, StoreError};

use super::Selection;

/// Files in byte order of their paths, lazily. Blocking.
pub trait Listing: Iterator<Item = Result<Entry, StoreError>> + Send {
    /// What stands for the content of the entry just returned.
    fn tag(&mut self, entry: &Entry) -> Result<ContentTag, StoreError>;
}

/// Finds the files of each leaf.
pub trait Listings: Send + Sync {
    /// Lists a leaf's repo. Of what the selection does not take, anything may be left out.
    fn list(&self, leaf: &PfsInput, selection: &Selection) -> Result<Box<dyn Listing>, StoreError>;
}
