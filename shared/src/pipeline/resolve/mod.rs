//! From a pipeline as typed to a pipeline as meant: defaults filled in, every rule that the types
//! alone do not express.
//!
//! Everything wrong is reported; a pipeline comes out only if nothing is.

mod cluster;
mod command;
mod input;
mod names;
mod pipeline;
mod place;

pub(super) use pipeline::pipeline;
