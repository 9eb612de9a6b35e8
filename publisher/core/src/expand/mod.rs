//! Expansion: from an input tree and sorted listings to datums.
//!
//! The datums come as one lazy, ordered, deterministic stream: the same spec over the same files
//! gives the same datums with the same indexes, on every machine. What combines leaves keeps no more than
//! a packed list of their inputs, so a cross of a thousand by a thousand holds a thousand.
//!
//! Order: a leaf's inputs in byte order of their paths, a directory standing where `path/` would; a cross varies
//! its last child fastest; a union goes child after child; join and group go by first sight of the
//! key. A datum lists its inputs in the order of the spec.
//!
//! Only `repos` opens stores. Listings block, so the stream needs a thread of its own.

mod combine;
mod datums;
mod error;
mod finder;
mod leaf;
mod listing;
mod repos;
mod selection;
mod stream;
mod tree;

pub use datums::{DatumStream, expand};
pub use error::ExpandError;
pub use listing::{Listing, Listings};
pub use repos::StoreListings;
pub use selection::Selection;

#[cfg(test)]
mod tests;
