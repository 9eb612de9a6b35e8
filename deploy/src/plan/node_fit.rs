//! The nodes on which a pipeline's workers can be scheduled.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Taint};

use crate::desired::{PodSettings, Toleration};

/// Node selector and tolerations of a pod.
#[derive(Clone, Copy, Debug)]
pub struct NodeFit<'a> {
    /// Labels that a node must have.
    pub selector: &'a BTreeMap<String, String>,
    /// Tolerated taints.
    pub tolerations: &'a [Toleration],
}

impl<'a> NodeFit<'a> {
    /// The requirements of a pipeline's pods.
    pub fn of(pods: &'a PodSettings) -> Self {
        Self {
            selector: &pods.scheduling_spec.node_selector,
            tolerations: &pods.tolerations,
        }
    }

    /// True if a worker can be scheduled on the node now.
    fn takes(&self, node: &Node) -> bool {
        let spec = node.spec.as_ref();
        let is_cordoned = spec.and_then(|spec| spec.unschedulable).unwrap_or_default();
        let taints = spec
            .and_then(|spec| spec.taints.as_deref())
            .unwrap_or_default();
        !is_cordoned
            && is_node_ready(node)
            && self.selects(node)
            && taints.iter().all(|taint| self.tolerates(taint))
    }

    fn selects(&self, node: &Node) -> bool {
        let labels = node.metadata.labels.as_ref();
        let has = |(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value);
        self.selector.iter().all(has)
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        let keeps_away = matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute");
        !keeps_away || self.tolerations.iter().any(|each| matches(each, taint))
    }
}

/// The number of nodes on which workers can be scheduled now.
pub fn fitting<'a>(nodes: impl IntoIterator<Item = &'a Node>, fit: &NodeFit<'_>) -> u32 {
    let fitting = nodes.into_iter().filter(|node| fit.takes(node)).count();
    u32::try_from(fitting).unwrap_or(u32::MAX)
}

/// True if the kubelet of the node reports ready.
pub fn is_node_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    let mut conditions = conditions.unwrap_or_default().iter();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The same rules as the scheduler's.
fn matches(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or("AllEffects");
    let key = toleration.key.as_deref().unwrap_or_default();
    let same_effect = effect == "AllEffects" || effect == taint.effect;
    let same_key = key.is_empty() || key == taint.key;
    let exists = toleration.operator.as_deref() == Some("Exists");
    let desired = toleration.value.as_deref().unwrap_or_default();
    let same_value = exists || desired == taint.value.as_deref().unwrap_or_default();
    // A toleration that ends after some seconds does not suit a worker that stays.
    let for_good = toleration.seconds.is_none();
    same_effect && same_key && same_value && for_good && (exists || !key.is_empty())
}
