//! Names and labels of the operator's objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ObjectInput;

/// The field manager of server-side apply.
pub const MANAGER: &str = "drover-operator";

/// The label that names the `Pipeline` resource of an object.
pub const PIPELINE_LABEL: &str = "drover.dev/pipeline";

/// The two kinds of workers of a pipeline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkerClass {
    /// Workers as the spec asks for them.
    Usual,
    /// Workers with `max_memory`.
    Large,
}

/// The name of the Deployment of the large workers of the resource called `name`.
pub fn large_name(name: &str) -> String {
    format!("{}-large", object_name(name))
}

/// The name of the objects that belong to the resource called `name`.
pub fn object_name(name: &str) -> String {
    format!("drover-{name}")
}

/// The labels by which a Deployment selects its pods; immutable. The usual labels serve the disruption budget and the
/// scale subresource, too.
pub fn selector(name: &str, class: WorkerClass) -> BTreeMap<String, String> {
    let kind = match class {
        WorkerClass::Usual => "drover-worker",
        WorkerClass::Large => "drover-worker-large",
    };
    [("app.kubernetes.io/name", kind), (PIPELINE_LABEL, name)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The label selector of all pods of a pipeline.
pub fn all_pods_of(name: &str) -> String {
    format!("{PIPELINE_LABEL}={name}")
}

/// The label selector of a pipeline's usual pods.
pub fn pods_of(name: &str) -> String {
    let pairs: Vec<_> = selector(name, WorkerClass::Usual)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// The labels of every object that belongs to a pipeline.
pub(super) fn labels(name: &str, class: WorkerClass) -> BTreeMap<String, String> {
    let mut labels = selector(name, class);
    for (key, value) in [
        ("app.kubernetes.io/managed-by", MANAGER),
        ("app.kubernetes.io/part-of", "drover"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

/// Metadata of an object that the garbage collector deletes together with the resource.
pub(super) fn metadata(input: &ObjectInput<'_>) -> Value {
    json!({
        "name": match input.class {
            WorkerClass::Usual => object_name(input.name),
            WorkerClass::Large => large_name(input.name),
        },
        "namespace": input.namespace,
        "labels": labels(input.name, input.class),
        "ownerReferences": [input.owner],
    })
}
