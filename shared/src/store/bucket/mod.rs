//! Buckets (and memory) as stores, by `object_store`.

mod download;
mod error;
mod foreign_keys;
mod listing_client;
mod multipart;
mod names;
mod objects;
mod open;
mod pages;
mod retry;
mod upload;
mod version;
mod walk;

pub(super) use objects::Bucket;
pub(super) use walk::BucketWalk;
