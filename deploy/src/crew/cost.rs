//! `pod-deletion-cost`: of two pods, Kubernetes removes the one with the lower cost first.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// The annotation.
pub const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// What is known of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It has nothing to do.
    Idle,
    /// It does not say.
    Unknown,
    /// It is at a datum.
    Busy,
}

impl From<Option<bool>> for Standing {
    fn from(is_busy: Option<bool>) -> Self {
        match is_busy {
            Some(false) => Self::Idle,
            None => Self::Unknown,
            Some(true) => Self::Busy,
        }
    }
}

/// What its removal costs: nothing, something, a datum that is cut off or waited for.
pub fn cost(standing: Standing) -> &'static str {
    match standing {
        Standing::Idle => "0",
        Standing::Unknown => "100",
        Standing::Busy => "1000",
    }
}

/// The pods whose cost is not what it should be, with what it should be; those on their way out cost nothing any more.
pub fn costs_to_set(
    pods: &[Pod],
    standings: &BTreeMap<String, Standing>,
) -> Vec<(String, &'static str)> {
    let mut to_set = Vec::new();
    for pod in pods {
        let name = pod.name_any();
        let Some(standing) = standings.get(&name) else {
            continue;
        };
        let wanted = cost(*standing);
        let has = pod.annotations().get(COST).map_or("0", String::as_str);
        if pod.metadata.deletion_timestamp.is_none() && has != wanted {
            to_set.push((name, wanted));
        }
    }
    to_set
}
