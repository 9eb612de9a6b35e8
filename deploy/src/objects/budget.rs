//! The disruption budget: the number of workers that may be evicted at the same time, for example when nodes are
//! drained.

use serde_json::{Value, json};

use super::{ObjectInput, names};

/// A quarter of the workers, and at least one: a drain is slowed down but never blocked. Pods that are not ready may
/// always be evicted.
pub(super) fn budget(input: &ObjectInput<'_>) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": names::metadata(input),
        "spec": {
            "maxUnavailable": "25%",
            "selector": { "matchLabels": names::selector(input.name, names::WorkerClass::Usual) },
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    })
}
