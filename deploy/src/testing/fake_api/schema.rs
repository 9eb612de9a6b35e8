//! Validation of custom resources by the installed definition: types, bounds, unknown fields and CEL rules.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::cel;
use crate::crd::definition;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let definition = serde_json::to_value(definition()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
});

/// The API server's reasons for refusing a `Pipeline`; `before` is the stored object of an update.
pub(super) fn refusals(object: &Value, before: Option<&Value>) -> Vec<String> {
    let mut refusals = Vec::new();
    for field in ["spec", "status"] {
        let (value, old) = (&object[field], before.map(|before| &before[field]));
        if !value.is_null() {
            let schema = &SCHEMA["properties"][field];
            check(
                schema,
                value,
                old.filter(|old| !old.is_null()),
                field,
                &mut refusals,
            );
        }
    }
    check_rules(&SCHEMA, object, before, "", &mut refusals);
    refusals
}

fn check(
    schema: &Value,
    value: &Value,
    old: Option<&Value>,
    path: &str,
    refusals: &mut Vec<String>,
) {
    // Values from before the current definition stay valid until a change.
    if old == Some(value) {
        return;
    }
    if schema["x-kubernetes-int-or-string"] == true {
        if !value.is_string() && !value.is_i64() {
            refusals.push(format!(
                "{path}: Invalid value: must be a string or an integer"
            ));
        }
        return;
    }
    let kind = schema["type"].as_str().unwrap_or_default();
    if !is_of(kind, value) {
        refusals.push(format!(
            "{path}: Invalid value: {value} must be of type {kind}"
        ));
        return;
    }
    check_bounds(schema, value, path, refusals);
    check_rules(schema, value, old, path, refusals);
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        check(
            &schema["items"],
            item,
            None,
            &format!("{path}[{number}]"),
            refusals,
        );
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        let field = required.as_str().unwrap();
        if value[field].is_null() {
            refusals.push(format!("{path}.{field}: Required value"));
        }
    }
    for (field, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{field}");
        let old = old.and_then(|old| old.get(field));
        let (known, others) = (
            &schema["properties"][field],
            &schema["additionalProperties"],
        );
        if known.is_object() {
            // A null value removes the field.
            if !value.is_null() {
                check(known, value, old, &path, refusals);
            }
        } else if others.is_object() {
            check(others, value, old, &path, refusals);
        } else if schema["x-kubernetes-preserve-unknown-fields"] != true {
            refusals.push(format!("strict decoding error: unknown field \"{path}\""));
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("the fake API does not know the type `{other}`"),
    }
}

fn check_bounds(schema: &Value, value: &Value, path: &str, refusals: &mut Vec<String>) {
    let count = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    let length = value.as_str().map(|text| count(text.chars().count()));
    let items = value.as_array().map(|items| count(items.len()));
    let bounds = [
        ("minimum", value.as_f64(), true),
        ("maximum", value.as_f64(), false),
        ("minLength", length, true),
        ("maxLength", length, false),
        ("minItems", items, true),
        ("maxItems", items, false),
    ];
    for (keyword, is, is_lower) in bounds {
        let Some((is, bound)) = is.zip(schema[keyword].as_f64()) else {
            continue;
        };
        let is_outside = if is_lower { is < bound } else { is > bound };
        if is_outside {
            refusals.push(format!(
                "{path}: Invalid value: {value}: {keyword} is {bound}"
            ));
        }
    }
    if let Some(choices) = schema["enum"].as_array().filter(|it| !it.contains(value)) {
        refusals.push(format!(
            "{path}: Unsupported value: {value}: supported values: {}",
            json!(choices)
        ));
    }
    let pattern = schema["pattern"].as_str().zip(value.as_str());
    if let Some((pattern, text)) = pattern
        && !fancy_regex::Regex::new(pattern)
            .unwrap()
            .is_match(text)
            .unwrap()
    {
        refusals.push(format!(
            "{path}: Invalid value: {value}: should match '{pattern}'"
        ));
    }
}

fn check_rules(
    schema: &Value,
    value: &Value,
    old: Option<&Value>,
    path: &str,
    refusals: &mut Vec<String>,
) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let (text, message) = (
            rule["rule"].as_str().unwrap(),
            rule["message"].as_str().unwrap(),
        );
        // A transition rule is for updates only.
        if text.contains("oldSelf") && old.is_none() {
            continue;
        }
        match cel::holds(text, value, old) {
            Ok(true) => {}
            Ok(false) => refusals.push(format!("{path}: Invalid value: {message}")),
            Err(error) => refusals.push(format!("{path}: Invalid value: rule `{text}`: {error}")),
        }
    }
}
