//! Buckets (and memory) as stores, by `object_store`.

mod error;
mod foreign_keys;
mod listing_client;
mod names;
mod objects;
mod open;
mod pages;
mod retry;
mod transfer;
mod transfer_memory;
mod version;
mod walk;

pub(super) use objects::Bucket;
pub use transfer_memory::{TRANSFER_MEMORY, bound_transfer_memory};
pub(super) use walk::BucketWalk;
