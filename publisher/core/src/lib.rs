//! Expands inputs, leads pipelines, coordinates jobs and writes their outputs.
//!
//! Modules in reading order. Nothing here knows the command line, HTTP or how a result is rendered.

pub mod code;
pub mod expand;

pub mod coordinator;
pub mod output;

pub mod catalog;
pub mod notifications;
pub mod retention;
pub mod triggers;

pub mod leader;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
