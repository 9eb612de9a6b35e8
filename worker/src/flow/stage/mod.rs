//! Stage: the inputs of a datum, on this machine, unchanged since they were listed.
//!
//! Those of a folder are shown where they lie; those of a bucket are downloaded first.

mod download;
mod folder;
mod input;
mod selection;
mod staging;

pub(super) use staging::{Staged, stage};
