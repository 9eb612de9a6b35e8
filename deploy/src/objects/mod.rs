//! The Kubernetes objects of a pipeline: pure functions of the desired state.
//!
//! The objects are JSON instead of typed structs because they are applied by *server-side apply*: a field that is absent
//! is not ours, and `pod_spec` may carry fields of a newer Kubernetes. Tests prove each object against the types.

mod budget;
mod build;
mod config;
mod credentials;
mod deployment;
mod names;
mod patch;
mod pod;
mod resources;
mod scheduling;
mod security;
mod volumes;
mod worker;

#[cfg(test)]
mod tests;

pub use build::{InvalidPod, ObjectInput, Objects, large_deployment, objects};
pub use config::config_map;
pub use deployment::deployment;
pub use names::{
    MANAGER, PIPELINE_LABEL, WorkerClass, all_pods_of, large_name, object_name, pods_of, selector,
};
pub use worker::PORT;
