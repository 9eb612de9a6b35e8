//! Validation of the objects of the operator: unknown fields and immutable fields.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The path of the first field that is unknown to the type of the object. Fails if a field has a wrong type.
pub(super) fn undeclared_field(kind: &str, object: &Value) -> Result<Option<String>, String> {
    match kind {
        "configmaps" => lost::<ConfigMap>(object),
        "deployments" => lost::<Deployment>(object),
        "poddisruptionbudgets" => lost::<PodDisruptionBudget>(object),
        "pods" => lost::<Pod>(object),
        _ => Ok(None),
    }
}

fn lost<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Option<String>, String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let kept = serde_json::to_value(typed).map_err(|error| error.to_string())?;
    Ok(first_lost(object, &kept, ""))
}

fn first_lost(written: &Value, kept: &Value, path: &str) -> Option<String> {
    match (written, kept) {
        (Value::Object(fields), _) => fields.iter().find_map(|(field, value)| {
            let path = format!("{path}.{field}");
            match kept.get(field) {
                Some(kept) => first_lost(value, kept, &path),
                None => (!is_empty(value)).then_some(path),
            }
        }),
        (Value::Array(items), Value::Array(kept)) => {
            let mut pairs = items.iter().zip(kept).enumerate();
            pairs.find_map(|(at, (item, kept))| first_lost(item, kept, &format!("{path}[{at}]")))
        }
        _ => None,
    }
}

/// True for a value without content, which a type may leave out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The reason for refusing an update, or the first version, of an object.
pub(super) fn invalid(kind: &str, before: Option<&Value>, after: &Value) -> Option<String> {
    if let Some(before) = before {
        let immutable: &[&str] = match kind {
            "deployments" => &["/metadata/uid", "/spec/selector"],
            "pods" => &["/metadata/uid", "/spec"],
            _ => &["/metadata/uid"],
        };
        let changed = immutable.iter().find(|path| {
            let (before, after) = (before.pointer(path), after.pointer(path));
            before.is_some() && before != after
        });
        if let Some(path) = changed {
            let path = path.trim_start_matches('/').replace('/', ".");
            return Some(format!("{path}: Invalid value: field is immutable"));
        }
    }
    if kind != "deployments" {
        return None;
    }
    let labels = &after["spec"]["template"]["metadata"]["labels"];
    let selector = after["spec"]["selector"]["matchLabels"].as_object();
    let is_match = selector.is_some_and(|all| all.iter().all(|(key, value)| labels[key] == *value));
    (!is_match).then(|| {
        "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
            .to_owned()
    })
}
