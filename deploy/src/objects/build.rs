//! Builds all objects of one pipeline.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;

use super::names::WorkerClass;
use super::{budget, config, credentials, deployment};
use crate::desired::DesiredPipeline;
use crate::settings::WorkerSettings;

/// Input of the functions that build objects.
#[derive(Clone, Copy, Debug)]
pub struct ObjectInput<'a> {
    /// The resource's name.
    pub name: &'a str,
    /// The resource's namespace.
    pub namespace: &'a str,
    /// Reference to the resource, for the garbage collector.
    pub owner: &'a OwnerReference,
    /// The desired state of the pipeline.
    pub desired: &'a DesiredPipeline,
    /// Cluster-wide settings of workers.
    pub workers: &'a WorkerSettings,
    /// The kind of the workers.
    pub class: WorkerClass,
}

/// The objects of a pipeline, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    /// The spec, for processes in the pod.
    pub config_map: Value,
    /// The disruption budget.
    pub budget: Value,
    /// The workers.
    pub deployment: Value,
    /// The large workers; `None` if the pipeline has none.
    pub large: Option<Value>,
}

/// The spec describes a pod that Kubernetes or the operator cannot accept.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPod {
    /// `pod_patch` does not fit the pod.
    #[error("pod_patch: {0}; `kubectl get deployment -o yaml` shows the pod that it is applied to")]
    Patch(String),
    /// `pod_spec` or `pod_patch` makes the pod invalid.
    #[error("with pod_spec and pod_patch the pod is no longer valid: {0}")]
    Pod(String),
    /// The operator does not allow changes of pods.
    #[error(
        "pod_spec and pod_patch can make a pod privileged and show it the files of its node, so they are not allowed here; \
         --allow-pod-spec of the operator (DROVER_ALLOW_POD_SPEC) allows them"
    )]
    ChangeNotAllowed,
    /// A Secret with Drover's own credentials.
    #[error(
        "transform.secrets: the Secret {0} holds credentials of Drover, which no pipeline may use; copy what the command needs to another Secret"
    )]
    OwnSecret(String),
}

/// The objects of a pipeline, scaled to zero.
pub fn objects(input: &ObjectInput<'_>) -> Result<Objects, InvalidPod> {
    credentials::check(input)?;
    Ok(Objects {
        config_map: config::config_map(input),
        budget: budget::budget(input),
        deployment: deployment::deployment(input)?,
        large: None,
    })
}

/// The Deployment of the large workers, scaled to zero.
pub fn large_deployment(input: &ObjectInput<'_>) -> Result<Value, InvalidPod> {
    let desired = input.desired.enlarged();
    deployment::deployment(&ObjectInput {
        desired: &desired,
        class: WorkerClass::Large,
        ..*input
    })
}

impl Objects {
    /// The objects with `replicas` workers.
    #[must_use]
    pub fn scaled(mut self, replicas: u32) -> Self {
        self.deployment["spec"]["replicas"] = replicas.into();
        self
    }

    /// The objects with `replicas` large workers, if the pipeline has large workers.
    #[must_use]
    pub fn with_large(mut self, replicas: u32) -> Self {
        if let Some(large) = &mut self.large {
            large["spec"]["replicas"] = replicas.into();
        }
        self
    }
}
