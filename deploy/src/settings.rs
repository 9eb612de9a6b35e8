//! Cluster-wide settings of workers, fixed at the operator's start.

use std::time::Duration;

/// Cluster-wide settings of workers.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// The source of the worker's binary.
    pub binary: Binary,
    /// The image of pipelines that name none.
    pub default_image: String,
    /// The pull policy `Always`, `IfNotPresent` or `Never`; `None` leaves the choice to Kubernetes.
    pub pull_policy: Option<String>,
    /// Secrets for pulling images, in addition to the pipeline's.
    pub image_pull_secrets: Vec<String>,
    /// The store's URL, or the path at which the claim is mounted.
    pub store: String,
    /// The claim of the volume that holds a store in a folder.
    pub store_claim: Option<String>,
    /// The Secret whose keys are the variables with the store's credentials.
    pub store_secret: Option<String>,
    /// The Secret and key with the broker's URL.
    pub broker_secret: SecretKey,
    /// Further Secrets that no pipeline may name.
    pub protected_secrets: Vec<String>,
    /// True if pipelines may change their pods by `pod_spec` and `pod_patch`.
    pub allow_pod_spec: bool,
    /// The service account of worker pods, for example for a cloud's workload identity.
    pub service_account: Option<String>,
    /// The numeric user and group of workers, unless a pipeline sets `transform.user`.
    pub user: u32,
    /// Maximum time for a worker to finish running datums.
    pub drain: Duration,
}

/// The source of the worker's binary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Binary {
    /// An init container of this image copies the binary.
    Image {
        /// The image.
        image: String,
        /// The path of the binary in the image.
        command: String,
    },
    /// The user's image contains the binary at the path.
    Path(String),
}

/// A key in a Secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretKey {
    /// The name of the Secret.
    pub name: String,
    /// The key.
    pub key: String,
}
