//! From a pipeline as typed to a pipeline as meant: defaults filled in, every rule that the types
//! alone do not express.
//!
//! Everything wrong is reported; a pipeline comes out only if nothing is.

mod cluster;
mod command;
mod cron;
mod input;
mod leaf;
mod names;
mod pipeline;
mod place;

pub(super) use pipeline::pipeline;

/// A text that is given: an empty one means the same as none, as everywhere in the reference.
fn non_empty(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}
