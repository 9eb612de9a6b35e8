//! As much of JSON Schema as the document uses, for checking answers against it.

use serde_json::Value;

/// The parts of `value` that violate `schema`, with their places; `shared` holds the referenced schemas.
pub(super) fn differences(value: &Value, schema: &Value, shared: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(value, schema, shared, "", &mut found);
    found
}

fn compare(value: &Value, schema: &Value, shared: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        assert!(
            shared[name].is_object(),
            "{reference} is not in the document"
        );
        return compare(value, &shared[name], shared, place, found);
    }
    for choices in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choices].as_array() {
            let fits = |choice: &Value| differences(value, choice, shared).is_empty();
            if !choices.iter().any(fits) {
                found.push(format!("{place}: {value} fits no choice"));
            }
        }
    }
    if let Some(constant) = schema.get("const").filter(|constant| *constant != value) {
        found.push(format!("{place}: {value} is not {constant}"));
    }
    if let Some(words) = schema["enum"]
        .as_array()
        .filter(|words| !words.contains(value))
    {
        found.push(format!("{place}: {value} is none of {words:?}"));
    }
    if !of_type(value, &schema["type"]) {
        found.push(format!(
            "{place}: {value} is not of type {}",
            schema["type"]
        ));
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (at, value) in values.iter().enumerate() {
            compare(value, items, shared, &format!("{place}[{at}]"), found);
        }
    }
    compare_fields(value, schema, shared, place, found);
}

fn compare_fields(
    value: &Value,
    schema: &Value,
    shared: &Value,
    place: &str,
    found: &mut Vec<String>,
) {
    let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) else {
        return;
    };
    for (name, value) in fields {
        match known.get(name) {
            Some(schema) => compare(value, schema, shared, &format!("{place}.{name}"), found),
            None => found.push(format!("{place}.{name}: the document does not know it")),
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap_or_default()) {
            found.push(format!("{place}: {name} is missing"));
        }
    }
}

fn of_type(value: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Array(types) => types.iter().any(|wanted| of_type(value, wanted)),
        Value::String(wanted) => match wanted.as_str() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other} is no type"),
        },
        _ => true,
    }
}

#[test]
fn what_differs_from_a_schema_is_found() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": { "a": { "type": ["integer", "null"] }, "b": { "$ref": "#/components/schemas/B" } },
        "required": ["a"],
    });
    let shared = serde_json::json!({ "B": { "enum": ["x"] } });
    let rows = [
        (r#"{"a": 1, "b": "x"}"#, 0),
        (r#"{"a": null}"#, 0),
        (r#"{"a": "1"}"#, 1),
        (r#"{"b": "y"}"#, 2),
        (r#"{"a": 1, "c": 1}"#, 1),
        ("[]", 1),
    ];
    for (text, count) in rows {
        let value = serde_json::from_str(text).unwrap();
        let found = differences(&value, &schema, &shared);
        assert_eq!(found.len(), count, "{text}: {found:?}");
    }
}
