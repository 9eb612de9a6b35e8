//! Inputs that many datums share, downloaded once for all workers of a machine.
//!
//! An entry is a file or a directory, named by a hash over the place and the listed content of an input. A sealed entry is
//! complete and never changes. Workers that use an entry hold a lock on it, workers that make or remove an entry hold the
//! lock of the name; the kernel releases the locks of a killed worker, and the next worker clears the unfinished entries.

mod directory;
mod entry;
mod eviction;
mod name_lock;
mod node_cache;

pub(crate) use entry::CachedInput;
pub(crate) use node_cache::NodeCache;
