//! `pod-deletion-cost`: Kubernetes removes the pod with the lowest cost first.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::WorkerLoad;

/// The annotation with the deletion cost.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The deletion cost: removing a busy worker cuts off its datum or waits for it.
pub fn cost(load: WorkerLoad) -> &'static str {
    match load {
        WorkerLoad::Idle { .. } => "0",
        WorkerLoad::Unknown => "100",
        WorkerLoad::Busy => "1000",
    }
}

/// The pods whose cost differs from the annotation, with the new cost. Terminating pods are skipped.
pub fn costs_to_set(
    pods: &[Pod],
    loads: &BTreeMap<String, WorkerLoad>,
) -> Vec<(String, &'static str)> {
    let mut to_set = Vec::new();
    for pod in pods {
        let name = pod.name_any();
        let Some(load) = loads.get(&name) else {
            continue;
        };
        let desired = cost(*load);
        let has = pod
            .annotations()
            .get(DELETION_COST)
            .map_or("0", String::as_str);
        if pod.metadata.deletion_timestamp.is_none() && has != desired {
            to_set.push((name, desired));
        }
    }
    to_set
}
