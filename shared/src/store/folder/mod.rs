//! A local folder as a store, by `std::fs` alone. Everything here blocks.

mod durability;
mod error;
mod file_stat;
mod folder_store;
mod group_umask;
mod links;
mod listing;
mod own_records;
mod stat_cache;
mod temporary;
mod walk;

#[cfg(test)]
mod tests;

pub use file_stat::{FileAttributes, file_version};
pub(super) use folder_store::Folder;
pub use group_umask::initial_umask;
pub(super) use walk::FolderWalk;
