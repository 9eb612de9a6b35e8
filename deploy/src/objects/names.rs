//! Names and labels of the operator's objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ObjectInput;

/// The field manager of server-side apply.
pub const MANAGER: &str = "drover-operator";

/// The label that names the `Pipeline` resource of an object.
pub const PIPELINE_LABEL: &str = "drover.dev/pipeline";

/// The name of the objects that belong to the resource called `name`.
pub fn object_name(name: &str) -> String {
    format!("drover-{name}")
}

/// The labels by which a Deployment selects its pods; they are immutable.
pub fn selector(name: &str) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "drover-worker"),
        (PIPELINE_LABEL, name),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The label selector of a pipeline's pods.
pub fn pods_of(name: &str) -> String {
    let pairs: Vec<_> = selector(name)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// The labels of every object that belongs to a pipeline.
pub(super) fn labels(name: &str) -> BTreeMap<String, String> {
    let mut labels = selector(name);
    for (key, value) in [
        ("app.kubernetes.io/managed-by", MANAGER),
        ("app.kubernetes.io/part-of", "drover"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

/// Metadata of an object that the garbage collector deletes together with the resource.
pub(super) fn metadata(input: &ObjectInput<'_>) -> Value {
    json!({
        "name": object_name(input.name),
        "namespace": input.namespace,
        "labels": labels(input.name),
        "ownerReferences": [input.owner],
    })
}
