//! A local folder as a store, by `std::fs` alone. Everything here blocks.

mod files;
mod group;
mod links;
mod listing;
mod place;
mod spares;
mod stat;
mod stat_cache;
mod trouble;
mod walk;

#[cfg(test)]
mod tests;

pub(super) use files::Folder;
pub use group::usual_umask;
pub(super) use walk::FolderWalk;
