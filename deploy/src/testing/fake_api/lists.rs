//! Keyed lists: server-side apply refuses two items with the same key.

use serde_json::Value;

/// Keyed lists of a pod, and the key of each.
const KEYED: [(&str, &str); 5] = [
    ("containers", "name"),
    ("env", "name"),
    ("imagePullSecrets", "name"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];

/// A real server's message for the first list with a repeated key.
pub(super) fn refusal(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .find_map(|(field, value)| twice(field, value).or_else(|| refusal(value))),
        Value::Array(items) => items.iter().find_map(refusal),
        _ => None,
    }
}

fn twice(field: &str, value: &Value) -> Option<String> {
    let (_, key) = KEYED.iter().find(|(list, _)| *list == field)?;
    let keys: Vec<_> = value.as_array()?.iter().map(|item| &item[key]).collect();
    let repeated = keys
        .iter()
        .enumerate()
        .find(|(at, one)| keys[..*at].contains(one))?;
    Some(format!(
        "failed to create typed patch object: .{field}: duplicate entries for key [{key}={}]",
        repeated.1
    ))
}
