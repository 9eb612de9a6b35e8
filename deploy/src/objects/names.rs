//! What objects are called, and by which labels they are found.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Recipe;

/// Who owns the fields that the operator applies.
pub const MANAGER: &str = "drover-operator";

/// The label that names the `Pipeline` resource on all that was made for it.
pub const PIPELINE_LABEL: &str = "drover.dev/pipeline";

/// What the objects of the resource called `name` are called.
pub fn object_name(name: &str) -> String {
    format!("drover-{name}")
}

/// The labels by which a Deployment knows its pods; they can never change.
pub fn selector(name: &str) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "drover-worker"),
        (PIPELINE_LABEL, name),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The pods of a pipeline, as a label selector.
pub fn pods_of(name: &str) -> String {
    let pairs: Vec<_> = selector(name)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// The labels of everything that is made for a pipeline.
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

/// The metadata of an object that goes when the resource goes.
pub(super) fn metadata(recipe: &Recipe<'_>) -> Value {
    json!({
        "name": object_name(recipe.name),
        "namespace": recipe.namespace,
        "labels": labels(recipe.name),
        "ownerReferences": [recipe.owner],
    })
}
