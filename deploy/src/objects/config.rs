//! The spec as a `ConfigMap`, for users and for processes in the pod. Workers read each job's spec from the store.

use serde_json::{Value, json};

use super::{ObjectInput, names};

/// The only key of the `ConfigMap`.
pub(super) const KEY: &str = "pipeline.json";

/// The `ConfigMap` with the spec in its normal form.
pub fn config_map(input: &ObjectInput<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": names::metadata(input),
        "data": { KEY: format!("{:#}\n", input.desired.spec) },
    })
}
