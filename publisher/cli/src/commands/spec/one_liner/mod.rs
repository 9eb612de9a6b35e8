//! Converts a one-liner to a pipeline spec, by pure functions: [`input`] reads the globs, [`command`] the command line.

mod command;
mod context;
mod error;
mod input;
mod spec;

pub(crate) use command::foreign_placeholders;
pub(crate) use context::OneLinerContext;
pub(crate) use error::OneLinerError;
pub(crate) use spec::spec;

#[cfg(test)]
mod tests;
