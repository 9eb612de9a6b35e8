//! The worker pod.

use serde_json::{Value, json};

use super::{ObjectInput, scheduling, security, volumes, worker};

/// The pod before `pod_spec` and `pod_patch`.
pub(super) fn pod(input: &ObjectInput<'_>) -> Value {
    let pods = &input.desired.pods;
    let mut pod = json!({
        "containers": [worker::container(input)],
        "volumes": volumes::volumes(input),
        "securityContext": security::pod(input),
        // Commands must not reach the Kubernetes API.
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": worker::termination_grace(input).as_secs(),
        "topologySpreadConstraints": [scheduling::spread(input.name, input.class)],
    });
    let mut set = |field: &str, value: Value| pod[field] = value;
    if let Some(installer) = worker::installer(input) {
        set("initContainers", json!([installer]));
    }
    if let Some(account) = &input.workers.service_account {
        set("serviceAccountName", json!(account));
    }
    if !pods.scheduling_spec.node_selector.is_empty() {
        set("nodeSelector", json!(pods.scheduling_spec.node_selector));
    }
    if let Some(class) = &pods.scheduling_spec.priority_class_name {
        set("priorityClassName", json!(class));
    }
    if !pods.tolerations.is_empty() {
        set(
            "tolerations",
            pods.tolerations
                .iter()
                .map(scheduling::toleration)
                .collect(),
        );
    }
    let pull: Vec<_> = scheduling::pull_secrets(input);
    if !pull.is_empty() {
        set("imagePullSecrets", json!(pull));
    }
    pod
}
