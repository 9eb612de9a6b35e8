//! Volumes and mounts of the worker pod.

use drover_shared::pipeline::Secret;
use drover_shared::store::layout::DROVER_FOLDER;
use serde_json::{Map, Value, json};

use super::{ObjectInput, config, names};
use crate::settings::Binary;

/// Folder of the worker's binary. No image has a file or folder of the name, so the runtime can create the mount points.
pub(super) const BINARY: &str = "/.drover-pod/bin";
/// Folder of the spec.
const SPEC: &str = "/.drover-pod/spec";
/// Working directories of datums, unless the store is a volume.
pub(super) const SCRATCH: &str = "/.drover-pod/scratch";

/// The volumes of the pod.
pub(super) fn volumes(input: &ObjectInput<'_>) -> Vec<Value> {
    let transform = &input.desired.pipeline.transform;
    let mut volumes = vec![
        json!({ "name": "pfs", "emptyDir": {} }),
        json!({ "name": "spec", "configMap": { "name": names::object_name(input.name), "items": [{ "key": config::KEY, "path": config::KEY }] } }),
    ];
    if matches!(input.workers.binary, Binary::Image { .. }) {
        volumes.push(json!({ "name": "binary", "emptyDir": {} }));
    }
    match &input.workers.store_claim {
        Some(claim) => volumes
            .push(json!({ "name": "store", "persistentVolumeClaim": { "claimName": claim } })),
        None => volumes.push(json!({ "name": "scratch", "emptyDir": scratch(input) })),
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

/// The names of the volumes that may be lost with the pod, with commas.
pub(super) fn temporary(input: &ObjectInput<'_>) -> String {
    let volumes = volumes(input);
    let temporary = volumes
        .iter()
        .filter(|volume| volume["emptyDir"].is_object());
    let names: Vec<_> = temporary
        .filter_map(|volume| volume["name"].as_str())
        .collect();
    names.join(",")
}

/// The mounts of the worker's container.
pub(super) fn mounts(input: &ObjectInput<'_>) -> Vec<Value> {
    let mut mounts = vec![
        json!({ "name": "pfs", "mountPath": "/pfs" }),
        json!({ "name": "spec", "mountPath": SPEC, "readOnly": true }),
    ];
    if matches!(input.workers.binary, Binary::Image { .. }) {
        mounts.push(json!({ "name": "binary", "mountPath": BINARY, "readOnly": true }));
    }
    match &input.workers.store_claim {
        Some(_) => mounts.extend(store(&input.workers.store)),
        None => mounts.push(json!({ "name": "scratch", "mountPath": SCRATCH })),
    }
    let paths = input.desired.pipeline.transform.secrets.iter();
    let paths = paths.filter_map(|secret| secret.mount_path.as_ref());
    mounts.extend(paths.enumerate().map(|(number, path)| {
        json!({ "name": secret_name(number), "mountPath": path, "readOnly": true })
    }));
    mounts
}

/// The mounts of a store on a volume: read-only but for Drover's own folder, where a worker writes all that it writes. The service
/// writes the output folders. The operator has made the folder when it registered the pipeline.
fn store(path: &str) -> [Value; 2] {
    let own = format!("{}/{DROVER_FOLDER}", path.trim_end_matches('/'));
    [
        json!({ "name": "store", "mountPath": path, "readOnly": true }),
        json!({ "name": "store", "mountPath": own, "subPath": DROVER_FOLDER }),
    ]
}

/// The size is the disk limit of the pod, so a pod that fills the volume is evicted and its neighbours are not
/// affected.
fn scratch(input: &ObjectInput<'_>) -> Value {
    let mut scratch = Map::new();
    if input.desired.pipeline.transform.memory_volume {
        scratch.insert("medium".to_owned(), json!("Memory"));
    } else if let Some(disk) = &input.desired.pods.resource_limits.disk {
        scratch.insert("sizeLimit".to_owned(), json!(disk));
    }
    scratch.into()
}

fn secret_volume(number: usize, secret: &Secret) -> Value {
    // Only the worker and its command run in the pod, and the command may have any user.
    json!({ "name": secret_name(number), "secret": { "secretName": secret.name, "defaultMode": 0o444 } })
}

fn secret_name(number: usize) -> String {
    format!("secret-{number}")
}
