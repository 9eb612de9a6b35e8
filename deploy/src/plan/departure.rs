//! Nodes with an announced end, by their taints.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, Pod};

/// Taints before the end of a node: the notice of a spot instance, or the begin of a scale-in.
const NOTICES: [&str; 8] = [
    "ToBeDeletedByClusterAutoscaler",
    "aws-node-termination-handler/asg-lifecycle-termination",
    "aws-node-termination-handler/scheduled-maintenance",
    "aws-node-termination-handler/spot-itn",
    "cloud.google.com/impending-node-termination",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
    "node.kubernetes.io/out-of-service",
];

/// True if a taint announces the end of the node.
pub fn is_going(node: &Node) -> bool {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    let mut taints = taints.into_iter().flatten();
    taints.any(|taint| NOTICES.contains(&taint.key.as_str()))
}

/// The pods on the nodes `going`. Terminating pods are skipped, and pods with a toleration of a notice, which would come back to
/// the same node.
pub fn pods_to_leave<'a>(
    pods: &'a [Pod],
    going: &BTreeSet<String>,
) -> impl Iterator<Item = &'a Pod> {
    pods.iter().filter(|pod| {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        pod.metadata.deletion_timestamp.is_none()
            && node.is_some_and(|it| going.contains(it))
            && !tolerates_notices(pod)
    })
}

fn tolerates_notices(pod: &Pod) -> bool {
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_ref());
    tolerations
        .into_iter()
        .flatten()
        .any(|toleration| match toleration.key.as_deref() {
            None | Some("") => toleration.operator.as_deref() == Some("Exists"),
            Some(key) => NOTICES.contains(&key),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(key: &str) -> Node {
        let taint = json!({ "key": key, "effect": "NoSchedule" });
        serde_json::from_value(json!({ "metadata": {}, "spec": { "taints": [taint] } })).unwrap()
    }

    #[test]
    fn a_notice_is_told_from_other_taints() {
        assert!(NOTICES.iter().all(|key| is_going(&node(key))));
        let others = [
            "node.kubernetes.io/unschedulable",
            "DeletionCandidateOfClusterAutoscaler",
            "nvidia.com/gpu",
        ];
        assert!(!others.iter().any(|key| is_going(&node(key))));
        assert!(!is_going(&Node::default()));
    }

    #[test]
    fn workers_leave_the_nodes_that_go_and_no_others() {
        let pod = |name: &str, node: &str, ends: Option<&str>| -> Pod {
            let metadata = json!({ "name": name, "deletionTimestamp": ends });
            serde_json::from_value(
                json!({ "metadata": metadata, "spec": { "nodeName": node, "containers": [] } }),
            )
            .unwrap()
        };
        let ending = Some("2026-01-01T00:00:00Z");
        let pods = [
            pod("a", "gone", None),
            pod("b", "stays", None),
            pod("c", "gone", ending),
            Pod::default(),
        ];
        let going = BTreeSet::from(["gone".to_owned()]);
        let names = |pods: &[Pod]| {
            pods_to_leave(pods, &going)
                .filter_map(|pod| pod.metadata.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&pods), ["a"]);
        let mut tolerant = pod("a", "gone", None);
        let toleration = |fields: Value| serde_json::from_value(fields).unwrap();
        let rows = [
            (json!({ "operator": "Exists" }), true),
            (
                json!({ "key": "karpenter.sh/disrupted", "operator": "Exists" }),
                true,
            ),
            (
                json!({ "key": "nvidia.com/gpu", "operator": "Exists" }),
                false,
            ),
            (
                json!({ "key": "node.kubernetes.io/not-ready", "operator": "Exists" }),
                false,
            ),
        ];
        for (fields, tolerates) in rows {
            tolerant.spec.as_mut().unwrap().tolerations = Some(vec![toleration(fields.clone())]);
            assert_eq!(
                names(std::slice::from_ref(&tolerant)).is_empty(),
                tolerates,
                "{fields}"
            );
        }
    }
}
