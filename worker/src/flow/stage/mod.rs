//! Stage: makes the inputs of a datum available on the local machine, and checks that they are unchanged since they were
//! listed. Inputs in a folder are shown where they lie; inputs in a bucket are downloaded first.

mod content;
mod download;
mod folder;
mod folder_file;
mod input;
mod input_state;
mod plain_directory;
mod selection;
mod staging;

pub(super) use input_state::InputCheck;
pub(super) use staging::{StagedDatum, stage};
