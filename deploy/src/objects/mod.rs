//! The Kubernetes objects of a pipeline: pure functions of what is wanted.
//!
//! They are JSON, not typed structs, as they are applied by *server-side apply*: what is not in them is not ours, and what
//! a newer Kubernetes knows may come in by `pod_spec`. That each is valid all the same, tests prove against the types.

mod budget;
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

pub use config::config_map;
pub use deployment::deployment;
pub use names::{MANAGER, PIPELINE_LABEL, object_name, pods_of, selector};
pub use worker::PORT;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;

use crate::settings::Workers;
use crate::wanted::Wanted;

/// What the objects of a pipeline are made of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// The resource's name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The resource, for the garbage collector.
    pub owner: &'a OwnerReference,
    /// What it asks for.
    pub wanted: &'a Wanted,
    /// How workers are run in this cluster.
    pub workers: &'a Workers,
}

/// The objects of a pipeline, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    /// The spec, for the pods to read.
    pub config_map: Value,
    /// How many of the pods may be evicted at the same time.
    pub budget: Value,
    /// The pods.
    pub deployment: Value,
}

/// Why the objects of a pipeline can't be made: its spec asks for what no pod can be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unmakeable {
    /// `pod_patch` does not fit the pod.
    #[error("pod_patch: {0}; `kubectl get deployment -o yaml` shows the pod that it is applied to")]
    Patch(String),
    /// After `pod_spec` and `pod_patch` it is no pod any more.
    #[error("with pod_spec and pod_patch the pod is not valid any more: {0}")]
    Pod(String),
}

/// The objects of a pipeline, without workers as yet.
pub fn objects(recipe: &Recipe<'_>) -> Result<Objects, Unmakeable> {
    Ok(Objects {
        config_map: config_map(recipe),
        budget: budget::budget(recipe),
        deployment: deployment(recipe)?,
    })
}

impl Objects {
    /// The objects with so many workers.
    #[must_use]
    pub fn scaled(mut self, replicas: u32) -> Self {
        self.deployment["spec"]["replicas"] = replicas.into();
        self
    }
}
