//! `pod-deletion-cost`: Kubernetes removes the pod with the lowest cost first.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// The annotation with the deletion cost.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The utilization of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Utilization {
    /// The worker runs no datum.
    Idle,
    /// The worker does not answer.
    Unknown,
    /// The worker runs a datum.
    Busy,
}

impl From<Option<bool>> for Utilization {
    fn from(is_busy: Option<bool>) -> Self {
        match is_busy {
            Some(false) => Self::Idle,
            None => Self::Unknown,
            Some(true) => Self::Busy,
        }
    }
}

/// The deletion cost: removing a busy worker cuts off its datum or waits for it.
pub fn cost(utilization: Utilization) -> &'static str {
    match utilization {
        Utilization::Idle => "0",
        Utilization::Unknown => "100",
        Utilization::Busy => "1000",
    }
}

/// The pods whose cost differs from the annotation, with the new cost. Terminating pods are skipped.
pub fn costs_to_set(
    pods: &[Pod],
    utilizations: &BTreeMap<String, Utilization>,
) -> Vec<(String, &'static str)> {
    let mut to_set = Vec::new();
    for pod in pods {
        let name = pod.name_any();
        let Some(utilization) = utilizations.get(&name) else {
            continue;
        };
        let desired = cost(*utilization);
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
