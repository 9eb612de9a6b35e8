//! What is mounted where in a worker's pod.

use drover_shared::pipeline::Secret;
use serde_json::{Map, Value, json};

use super::{Recipe, config, names};
use crate::settings::Binary;

/// Where the worker's binary is put.
pub(super) const BINARY: &str = "/drover/bin";
/// Where the spec lies.
const SPEC: &str = "/drover/spec";
/// Working directories of datums, for a store that is no folder.
pub(super) const SCRATCH: &str = "/drover/scratch";

/// The volumes of the pod.
pub(super) fn volumes(recipe: &Recipe<'_>) -> Vec<Value> {
    let transform = &recipe.wanted.pipeline.transform;
    let mut volumes = vec![
        json!({ "name": "pfs", "emptyDir": {} }),
        json!({ "name": "spec", "configMap": { "name": names::object_name(recipe.name), "items": [{ "key": config::KEY, "path": config::KEY }] } }),
    ];
    if matches!(recipe.workers.binary, Binary::Image { .. }) {
        volumes.push(json!({ "name": "binary", "emptyDir": {} }));
    }
    match &recipe.workers.store_claim {
        Some(claim) => volumes
            .push(json!({ "name": "store", "persistentVolumeClaim": { "claimName": claim } })),
        None => volumes.push(json!({ "name": "scratch", "emptyDir": scratch(recipe) })),
    }
    let mounted = transform
        .secrets
        .iter()
        .filter(|secret| secret.mount_path.is_some());
    volumes.extend(
        mounted
            .enumerate()
            .map(|(number, secret)| secret_volume(number, secret)),
    );
    volumes
}

/// What the worker's container mounts of them.
pub(super) fn mounts(recipe: &Recipe<'_>) -> Vec<Value> {
    let mut mounts = vec![
        json!({ "name": "pfs", "mountPath": "/pfs" }),
        json!({ "name": "spec", "mountPath": SPEC, "readOnly": true }),
    ];
    if matches!(recipe.workers.binary, Binary::Image { .. }) {
        mounts.push(json!({ "name": "binary", "mountPath": BINARY, "readOnly": true }));
    }
    match &recipe.workers.store_claim {
        Some(_) => mounts.push(json!({ "name": "store", "mountPath": recipe.workers.store })),
        None => mounts.push(json!({ "name": "scratch", "mountPath": SCRATCH })),
    }
    let paths = recipe.wanted.pipeline.transform.secrets.iter();
    let paths = paths.filter_map(|secret| secret.mount_path.as_ref());
    mounts.extend(paths.enumerate().map(|(number, path)| {
        json!({ "name": secret_name(number), "mountPath": path, "readOnly": true })
    }));
    mounts
}

/// As large as the disk that the pod may use, so that one that fills it is evicted and no neighbour suffers.
fn scratch(recipe: &Recipe<'_>) -> Value {
    let mut scratch = Map::new();
    if recipe.wanted.pipeline.transform.memory_volume {
        scratch.insert("medium".to_owned(), json!("Memory"));
    } else if let Some(disk) = &recipe.wanted.pods.resource_limits.disk {
        scratch.insert("sizeLimit".to_owned(), json!(disk));
    }
    scratch.into()
}

fn secret_volume(number: usize, secret: &Secret) -> Value {
    // Nobody is in the pod but the worker and the command, which may run as anybody.
    json!({ "name": secret_name(number), "secret": { "secretName": secret.name, "defaultMode": 0o444 } })
}

fn secret_name(number: usize) -> String {
    format!("secret-{number}")
}
