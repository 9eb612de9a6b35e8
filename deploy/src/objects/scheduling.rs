//! Placement of pods, and the Secrets for pulling images.

use serde_json::{Map, Value, json};

use super::{ObjectInput, names};
use crate::desired::Toleration;

/// Spreads the workers over nodes where possible.
pub(super) fn spread(name: &str, class: names::WorkerClass) -> Value {
    json!({
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": { "matchLabels": names::selector(name, class) },
    })
}

/// A toleration in the form of the Kubernetes API.
pub(super) fn toleration(typed: &Toleration) -> Value {
    let effect = typed
        .effect
        .as_ref()
        .filter(|effect| *effect != "AllEffects");
    let fields = [
        ("key", json!(typed.key)),
        ("operator", json!(typed.operator)),
        ("value", json!(typed.value)),
        ("effect", json!(effect)),
        ("tolerationSeconds", json!(typed.seconds)),
    ];
    let given = fields.into_iter().filter(|(_, value)| !value.is_null());
    let fields: Map<_, _> = given
        .map(|(field, value)| (field.to_owned(), value))
        .collect();
    fields.into()
}

/// The pipeline's pull Secrets, then those of the cluster, without duplicates.
pub(super) fn pull_secrets(input: &ObjectInput<'_>) -> Vec<Value> {
    let mut names: Vec<&String> = Vec::new();
    let own = &input.desired.pods.transform.image_pull_secrets;
    for name in own.iter().chain(&input.workers.image_pull_secrets) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.iter().map(|name| json!({ "name": name })).collect()
}
