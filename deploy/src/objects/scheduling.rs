//! Where pods are placed, and with which secrets their images are pulled.

use serde_json::{Map, Value, json};

use super::{Recipe, names};
use crate::wanted::Toleration;

/// Workers spread over nodes where that is possible.
pub(super) fn spread(name: &str) -> Value {
    json!({
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": { "matchLabels": names::selector(name) },
    })
}

/// A toleration as Kubernetes writes it.
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

/// The pipeline's secrets, then the cluster's, each once.
pub(super) fn pull_secrets(recipe: &Recipe<'_>) -> Vec<Value> {
    let mut names: Vec<&String> = Vec::new();
    let own = &recipe.wanted.pods.transform.image_pull_secrets;
    for name in own.iter().chain(&recipe.workers.image_pull_secrets) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.iter().map(|name| json!({ "name": name })).collect()
}
