//! What a user writes: the pipeline spec, from text to meaning.
//!
//! [`Pipeline`] is what a spec *means*: defaults filled in, names checked, globs compiled.

mod input;
mod meaning;
mod transform;

pub use input::{CronInput, Input, PfsInput};
pub use meaning::{OutputConflict, Parallelism, Pipeline, Reprocess, SetRule};
pub use transform::{Secret, Transform};
