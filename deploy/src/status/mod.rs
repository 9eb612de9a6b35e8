//! Conditions and events: pure functions of the observed state and the plan.

mod build;
mod conditions;
mod diagnosis;
mod events;

pub use build::{ReconcileOutcome, RunningPipeline, SpecRefusal, pipeline_status};
pub use conditions::{ACCEPTED, BROKER_REACHABLE, JOB_SUCCEEDED, READY, REGISTERED};
pub use events::{PipelineEvent, events};
