//! The `Pipeline` custom resource: its spec and its status.
//!
//! The schema is generated from the types that the command line parses specs with, so schema and parser cannot drift
//! apart. Rules that a schema cannot express are checked in [`desired`](crate::desired).

mod manifest;
mod resource;
mod rules;
mod schema;
mod status;

pub use manifest::{definition, to_yaml};
pub use resource::{Pipeline, PipelineSpec};
pub(crate) use schema::REPLICAS;
pub use status::{LastJob, PipelineStatus};
