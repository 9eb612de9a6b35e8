//! The store: a folder or a bucket that holds inputs, outputs and Drover's own records.
//!
//! The only room that knows `object_store`. A local folder is served by `std::fs` directly, for hard links, a sorted
//! walk, every UTF-8 name, and no detour per datum.
//!
//! Every write is atomic, also when a process dies. A power cut may undo or damage what was written since the last
//! [`Store::sync`] or [`Store::persist`], which the ledger notices and repeats.

pub mod layout;

mod error;
mod key;
mod location;

mod content_tag;
mod entry;
mod handle;
mod names_page;
mod object_version;
mod open_with_retry;
mod repos;
mod version_match;
mod walk;

mod bucket;
mod folder;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use bucket::{TRANSFER_MEMORY, bound_transfer_memory};
pub use content_tag::ContentTag;
pub use entry::Entry;
pub use error::StoreError;
pub use folder::{FileAttributes, file_version, initial_umask};
pub use handle::Store;
pub use key::StoreKey;
pub use location::Location;
pub use names_page::NamesPage;
pub use object_version::ObjectVersion;
pub use repos::Repos;
pub use version_match::VersionMatch;
pub use walk::Walk;
