//! The pod of a worker.

use serde_json::{Value, json};

use super::{Recipe, scheduling, security, volumes, worker};

/// The pod, before what `pod_spec` and `pod_patch` make of it.
pub(super) fn pod(recipe: &Recipe<'_>) -> Value {
    let pods = &recipe.wanted.pods;
    let mut pod = json!({
        "containers": [worker::container(recipe)],
        "volumes": volumes::volumes(recipe),
        "securityContext": security::pod(recipe),
        // Whatever the command is, it has no business with the cluster.
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": worker::termination_grace(recipe).as_secs(),
        "topologySpreadConstraints": [scheduling::spread(recipe.name)],
    });
    let mut set = |field: &str, value: Value| pod[field] = value;
    if let Some(installer) = worker::installer(recipe) {
        set("initContainers", json!([installer]));
    }
    if let Some(account) = &recipe.workers.service_account {
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
    let pull: Vec<_> = scheduling::pull_secrets(recipe);
    if !pull.is_empty() {
        set("imagePullSecrets", json!(pull));
    }
    pod
}
