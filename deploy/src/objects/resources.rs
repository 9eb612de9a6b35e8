//! What a worker asks for and what it may use.

use serde_json::{Map, Value, json};

use crate::wanted::{Pods, Resources};

/// The resources of the worker's container; nothing is asked for that the spec does not say.
pub(super) fn of_worker(pods: &Pods) -> Value {
    let (requests, limits) = (&pods.resource_requests, &pods.resource_limits);
    let mut resources = Map::new();
    // Kubernetes lets nobody ask for other graphics processors than they may use.
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

/// What copying one file takes. Both are said, as a namespace with a quota refuses pods that leave them out.
pub(super) fn of_installer() -> Value {
    let amounts = json!({ "cpu": "100m", "memory": "64Mi" });
    json!({ "requests": amounts, "limits": amounts })
}

fn amounts_of(resources: &Resources) -> Map<String, Value> {
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
