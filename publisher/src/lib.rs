//! The command line: expands inputs, coordinates jobs.

pub mod coordinator;
pub mod expand;
pub mod local;
