//! Buckets (and memory) as stores, by `object_store`.

mod names;
mod objects;
mod open;
mod trouble;
mod walk;

pub(super) use objects::Bucket;
pub(super) use walk::BucketWalk;
