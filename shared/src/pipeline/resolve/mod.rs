//! From a pipeline as typed to a pipeline as meant: defaults filled in, every rule that the types
//! alone do not express.
//!
//! Every error is reported; a pipeline is returned only if there are none.

mod cluster;
mod code;
mod command;
mod cron;
mod input;
mod leaf;
mod limits;
mod names;
mod notify;
mod pipeline;
mod place;
mod tree_context;

pub(super) use pipeline::pipeline;

/// The text, unless absent or empty: an empty text counts as absent, as everywhere in the reference.
fn non_empty(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}
