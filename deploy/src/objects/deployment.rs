//! The Deployment of a pipeline's workers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{InvalidPod, ObjectInput, names, patch, pod, volumes};

/// The annotation with the pipeline's name, which need not be a valid label value.
const NAME_ANNOTATION: &str = "drover.dev/pipeline-name";

/// The annotation with the volumes that are no reason for the cluster autoscaler to keep a node.
const LOCAL_VOLUMES: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";

/// The Deployment, scaled to zero.
///
/// A new spec replaces workers without a surge, because the cluster may have no room for more pods, and waiting work is
/// not lost.
pub fn deployment(input: &ObjectInput<'_>) -> Result<Value, InvalidPod> {
    let allowed = input.workers.allow_pod_spec;
    let pod = patch::patched(pod::pod(input), &input.desired.pods, allowed)?;
    Ok(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": names::metadata(input),
        "spec": {
            "replicas": 0,
            "revisionHistoryLimit": 3,
            "selector": { "matchLabels": names::selector(input.name, input.class) },
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": { "maxSurge": 0, "maxUnavailable": "25%" },
            },
            "template": {
                "metadata": { "labels": labels(input), "annotations": annotations(input) },
                "spec": pod,
            },
        },
    }))
}

/// The user's labels, overridden by the operator's labels.
fn labels(input: &ObjectInput<'_>) -> BTreeMap<String, String> {
    let mut labels = input.desired.pods.metadata.labels.clone();
    labels.extend(names::labels(input.name, input.class));
    labels
}

fn annotations(input: &ObjectInput<'_>) -> BTreeMap<String, String> {
    let ours = [
        (NAME_ANNOTATION, input.desired.pipeline.name.to_string()),
        (
            "kubectl.kubernetes.io/default-container",
            super::worker::NAME.to_owned(),
        ),
    ];
    let mut annotations = BTreeMap::from([(LOCAL_VOLUMES.to_owned(), volumes::temporary(input))]);
    annotations.extend(input.desired.pods.metadata.annotations.clone());
    annotations.extend(ours.map(|(key, value)| (key.to_owned(), value)));
    annotations
}
