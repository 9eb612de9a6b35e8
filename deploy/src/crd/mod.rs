//! The `Pipeline` custom resource: what a person applies, and what they are told of it.
//!
//! Its schema is made from the very types that the command line reads specs with, so the two can't drift apart. What a
//! schema can't say is checked by the same code as ever, in [`wanted`](crate::wanted).

mod manifest;
mod resource;
mod rules;
mod schema;
mod status;

pub use manifest::{definition, to_yaml};
pub use resource::{Pipeline, PipelineSpec};
pub use status::{LastJob, PipelineStatus};
