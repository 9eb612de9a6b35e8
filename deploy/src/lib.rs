//! The Kubernetes operator keeps the desired number of Drover workers running.
//!
//! A user applies a `Pipeline` resource. The operator writes the pipeline into the store, where `drover serve` reads it,
//! and keeps one Deployment of workers for the pipeline at the desired size.

pub mod crd;
pub mod desired;
pub mod settings;

pub mod objects;
pub mod plan;
pub mod status;

pub mod job_store;
pub mod worker_probe;

pub mod health;
pub mod leader;
pub mod metrics;
pub mod operator;

pub mod process;

#[cfg(test)]
mod testing;
