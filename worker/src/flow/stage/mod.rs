//! Stage: makes the inputs of a datum available on this machine, and checks that they are unchanged since they were
//! listed. Inputs in a folder are shown where they lie; inputs in a bucket are downloaded first.

mod download;
mod folder;
mod input;
mod selection;
mod staging;

pub(super) use staging::{StagedDatum, stage};
