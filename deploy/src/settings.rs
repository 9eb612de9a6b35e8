//! What the operator is told once, at its start, about the workers that it makes.

use std::time::Duration;

/// How workers are run in this cluster.
#[derive(Clone, Debug)]
pub struct Workers {
    /// How the worker's binary comes into the user's image.
    pub binary: Binary,
    /// The image of pipelines that name none.
    pub default_image: String,
    /// When images are pulled: `Always`, `IfNotPresent` or `Never`; none leaves it to Kubernetes.
    pub pull_policy: Option<String>,
    /// Secrets with which images are pulled, beside those of the pipeline.
    pub image_pull_secrets: Vec<String>,
    /// The store, a URL; or the path at which the claim is mounted.
    pub store: String,
    /// The claim on a volume that holds the store, if that is a folder.
    pub store_claim: Option<String>,
    /// The Secret whose keys are the variables with the store's credentials.
    pub store_secret: Option<String>,
    /// Where the broker's URL lies.
    pub broker_secret: SecretKey,
    /// The service account of worker pods, as for a cloud's own identities.
    pub service_account: Option<String>,
    /// Who workers run as, by number, user and group, where a pipeline does not say.
    pub user: u32,
    /// How long a worker may take to finish what it runs.
    pub drain: Duration,
}

/// How the worker's binary comes into the user's image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Binary {
    /// An init container of this image copies it.
    Image {
        /// The image.
        image: String,
        /// The binary in that image.
        command: String,
    },
    /// It is in the user's images already, at this path.
    Path(String),
}

/// A key in a Secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretKey {
    /// The Secret.
    pub name: String,
    /// The key.
    pub key: String,
}
