//! The spec as a `ConfigMap`, for people and for whatever runs in the pod. The workers themselves take each job's spec
//! from the store.

use serde_json::{Value, json};

use super::{Recipe, names};

/// The one key of the `ConfigMap`.
pub(super) const KEY: &str = "pipeline.json";

/// The spec of a pipeline in its normal form.
pub fn config_map(recipe: &Recipe<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": names::metadata(recipe),
        "data": { KEY: format!("{:#}\n", recipe.wanted.spec) },
    })
}
