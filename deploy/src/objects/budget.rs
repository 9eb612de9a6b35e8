//! How many workers of a pipeline may be evicted at the same time, as when nodes are drained.

use serde_json::{Value, json};

use super::{Recipe, names};

/// A quarter, and one of one: a drain is slowed down, never blocked. A worker that does no good may always go.
pub(super) fn budget(recipe: &Recipe<'_>) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": names::metadata(recipe),
        "spec": {
            "maxUnavailable": "25%",
            "selector": { "matchLabels": names::selector(recipe.name) },
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    })
}
