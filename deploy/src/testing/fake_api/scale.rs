//! The scale subresource, by the paths in the definition of the custom resource.

use serde_json::{Value, json};

use super::RecordedRequest;

/// The `Scale` of a pipeline; `None` while `spec.replicas` is absent.
pub(super) fn read(object: &Value) -> Option<Value> {
    let replicas = object["spec"]["replicas"].as_u64()?;
    Some(scale(object, &json!(replicas)))
}

/// The pipeline after a write to its scale. A patch may come while `spec.replicas` is absent.
pub(super) fn written(request: &RecordedRequest, object: &Value) -> Result<Value, String> {
    let mut scale = read(object).unwrap_or_else(|| scale(object, &Value::Null));
    if request.method == "PUT" {
        scale = request.body.clone();
    } else {
        json_patch::merge(&mut scale, &request.body);
    }
    let Some(replicas) = scale["spec"]["replicas"].as_i64() else {
        return Err("the spec replicas field \".spec.replicas\" cannot be empty".to_owned());
    };
    if replicas < 0 {
        return Err("spec.replicas: Invalid value: must be greater than or equal to 0".to_owned());
    }
    let mut object = object.clone();
    object["spec"]["replicas"] = json!(replicas);
    object["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
    Ok(object)
}

fn scale(object: &Value, replicas: &Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "spec": { "replicas": replicas },
        "status": {
            "replicas": object["status"]["replicas"].as_u64().unwrap_or(0),
            "selector": object["status"]["selector"].as_str().unwrap_or_default(),
        },
    })
}
