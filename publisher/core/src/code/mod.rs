//! Code files: files whose content is part of the identity of a pipeline's work.
//!
//! These are the files named by words of the command, and the files of the spec's `code`. A changed file makes new work,
//! as a changed command does. Relative paths start at the working directory of the command.

mod content;
mod entry;
mod error;
mod files;
mod find;
mod named;
mod objects;
mod shell;
mod words;

pub use error::CodeError;
pub use find::find;
