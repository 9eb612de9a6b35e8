//! Keeps the right number of Drover workers alive on Kubernetes.
//!
//! A `Pipeline` resource asks for workers; the operator writes its pipeline into the store, where `drover serve` finds
//! it, and keeps one Deployment of workers for it, as large as it should be.

pub mod crd;
pub mod settings;
pub mod wanted;

pub mod objects;
pub mod plan;
pub mod status;

pub mod books;
pub mod crew;

pub mod leader;
pub mod metrics;
pub mod operator;

pub mod args;
pub mod request;
pub mod service;

#[cfg(test)]
mod double;
#[cfg(test)]
mod samples;
