//! Common test fixtures.

use std::time::Duration;

use crate::settings::{Binary, SecretKey, WorkerSettings};

/// A cluster with a bucket store, whose workers are installed by an init container.
pub(crate) fn workers() -> WorkerSettings {
    WorkerSettings {
        binary: Binary::Image {
            image: "drover-worker:1".to_owned(),
            command: "/drover-worker".to_owned(),
        },
        default_image: "debian:1".to_owned(),
        pull_policy: None,
        image_pull_secrets: vec![],
        store: "s3://data".to_owned(),
        store_claim: None,
        store_secret: Some("drover-store".to_owned()),
        broker_secret: SecretKey {
            name: "drover-broker".to_owned(),
            key: "url".to_owned(),
        },
        protected_secrets: vec!["drover-tokens".to_owned()],
        allow_pod_spec: true,
        service_account: None,
        user: 65532,
        drain: Duration::from_mins(10),
    }
}
