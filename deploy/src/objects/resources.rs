//! Resource requests and limits.

use serde_json::{Map, Value, json};

use crate::desired::{PodResources, PodSettings};

/// The resources of the worker's container; the operator adds nothing to the spec.
pub(super) fn of_worker(pods: &PodSettings) -> Value {
    let (requests, limits) = (&pods.resource_requests, &pods.resource_limits);
    let mut resources = Map::new();
    // Kubernetes requires equal requests and limits of graphics processors.
    let gpu = limits.gpu.as_ref().or(requests.gpu.as_ref());
    for (kind, amounts) in [("requests", requests), ("limits", limits)] {
        let mut amounts = amounts_of(amounts);
        if let Some(gpu) = gpu {
            amounts.insert(gpu.kind.clone(), json!(gpu.number.to_string()));
        }
        if !amounts.is_empty() {
            resources.insert(kind.to_owned(), amounts.into());
        }
    }
    resources.into()
}

/// Resources for copying one file. Requests and limits are both set, because a namespace with a quota refuses pods
/// without them.
pub(super) fn of_installer() -> Value {
    let amounts = json!({ "cpu": "100m", "memory": "64Mi" });
    json!({ "requests": amounts, "limits": amounts })
}

fn amounts_of(resources: &PodResources) -> Map<String, Value> {
    let cpu = resources
        .cpu
        .map(|cpu| format!("{}m", (cpu * 1000.0).ceil()));
    let amounts = [
        ("cpu", cpu),
        ("memory", resources.memory.clone()),
        ("ephemeral-storage", resources.disk.clone()),
    ];
    let given = amounts
        .into_iter()
        .filter_map(|(name, amount)| Some((name, amount?)));
    given
        .map(|(name, amount)| (name.to_owned(), json!(amount)))
        .collect()
}
