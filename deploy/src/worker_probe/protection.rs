//! Protection of busy workers: annotations by which autoscalers of nodes leave a pod alone.
//!
//! A busy worker is protected at once, and an idle worker is released after a while, so a worker
//! between two datums causes no write.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Map, Value, json};

use super::WorkerLoad;

/// The annotations of a protected pod: of the cluster autoscaler and of Karpenter.
pub const PROTECTION: [(&str, &str); 2] = [
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("karpenter.sh/do-not-disrupt", "true"),
];

/// Time for which a worker is idle before it is released.
const SETTLED: Duration = Duration::from_secs(30);

/// The annotations to change, by pod; a null value removes an annotation. `own` are the annotations of the user
/// for all workers, which are left alone. Terminating pods and workers without an answer are skipped.
pub fn protection_changes(
    pods: &[Pod],
    loads: &BTreeMap<String, WorkerLoad>,
    own: &BTreeMap<String, String>,
) -> Vec<(String, Map<String, Value>)> {
    let mut changes = Vec::new();
    for pod in pods {
        let load = loads.get(&pod.name_any()).copied();
        let Some(protected) = load.and_then(wants_protection) else {
            continue;
        };
        let change = change(pod, protected, own);
        if pod.metadata.deletion_timestamp.is_none() && !change.is_empty() {
            changes.push((pod.name_any(), change));
        }
    }
    changes
}

/// True if any of the pods is protected.
pub fn is_any_protected(pods: &[Pod]) -> bool {
    let has = |pod: &Pod| {
        PROTECTION
            .iter()
            .any(|(key, _)| pod.annotations().contains_key(*key))
    };
    pods.iter().any(has)
}

/// `None` leaves a worker as it is.
fn wants_protection(load: WorkerLoad) -> Option<bool> {
    match load {
        WorkerLoad::Busy => Some(true),
        WorkerLoad::Idle { since } if since >= SETTLED => Some(false),
        WorkerLoad::Idle { .. } | WorkerLoad::Unknown => None,
    }
}

fn change(pod: &Pod, protected: bool, own: &BTreeMap<String, String>) -> Map<String, Value> {
    let mut change = Map::new();
    for (key, value) in PROTECTION.iter().filter(|(key, _)| !own.contains_key(*key)) {
        let has = pod.annotations().get(*key).map(String::as_str);
        let wanted = protected.then_some(*value);
        if has != wanted {
            change.insert((*key).to_owned(), json!(wanted));
        }
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(annotations: &Value) -> Pod {
        serde_json::from_value(json!({ "metadata": { "name": "one", "annotations": annotations } }))
            .unwrap()
    }

    #[test]
    fn a_worker_is_protected_at_once_and_released_when_it_stays_idle() {
        let idle = |seconds| WorkerLoad::Idle {
            since: Duration::from_secs(seconds),
        };
        let (bare, protected) = (
            json!({}),
            json!(PROTECTION.into_iter().collect::<BTreeMap<_, _>>()),
        );
        let removed = json!({ PROTECTION[0].0: null, PROTECTION[1].0: null });
        let rows = [
            (&bare, WorkerLoad::Busy, Some(&protected)),
            (&bare, idle(0), None),
            (&bare, idle(9000), None),
            (&bare, WorkerLoad::Unknown, None),
            (&protected, WorkerLoad::Busy, None),
            (&protected, idle(29), None),
            (&protected, idle(30), Some(&removed)),
            (&protected, WorkerLoad::Unknown, None),
        ];
        for (annotations, load, expected) in rows {
            let loads = BTreeMap::from([("one".to_owned(), load)]);
            let changes = protection_changes(&[pod(annotations)], &loads, &BTreeMap::new());
            let change = changes.first().map(|(_, change)| json!(change));
            assert_eq!(change.as_ref(), expected, "{annotations} {load:?}");
        }
    }

    #[test]
    fn the_annotations_of_the_user_stay() {
        let own = BTreeMap::from([(PROTECTION[0].0.to_owned(), "true".to_owned())]);
        let loads = BTreeMap::from([("one".to_owned(), WorkerLoad::Busy)]);
        let changes = protection_changes(&[pod(&json!(own))], &loads, &own);
        assert_eq!(json!(changes[0].1), json!({ PROTECTION[1].0: "true" }));
    }
}
