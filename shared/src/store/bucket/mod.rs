//! Buckets (and memory) as stores, by `object_store`.

mod download;
mod names;
mod objects;
mod open;
mod parts;
mod patience;
mod trouble;
mod upload;
mod version;
mod walk;

pub(super) use objects::Bucket;
pub(super) use walk::BucketWalk;
