//! The JSON Schema of a spec, for editors and for the checker.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::fields::{Support, UNSUPPORTED_FIELDS};
use super::spec;

/// The JSON Schema (draft 2020-12) of a pipeline spec, with descriptions, defaults and examples.
///
/// The schema lists the `snake_case` spelling; `camelCase` is accepted as well.
pub fn schema() -> Value {
    let mut schema = CHECKED.clone();
    add_other_fields(&mut schema);
    schema
}

/// The schema used by the checker: exactly the fields with a meaning in Drover.
pub(super) static CHECKED: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy));
    let mut generator = SchemaGenerator::new(settings);
    let schema = generator.root_schema_for::<spec::Pipeline>();
    Value::from(schema)
});

/// An absent field and a null are the same to the checker, so the schema need not tell of nulls,
/// nor of defaults that only say so.
fn tidy(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|each| each != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(mut options)) = object.remove("anyOf") {
        options.retain(|each| each["type"] != "null");
        match options.as_mut_slice() {
            [Value::Object(only)] => object.append(only),
            _ => drop(object.insert("anyOf".to_owned(), options.into())),
        }
    }
    let says_nothing = |default: &Value| match default {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if object.get("default").is_some_and(says_nothing) {
        object.remove("default");
    }
}

/// Adds the unused and the refused fields for editors.
fn add_other_fields(schema: &mut Value) {
    for field in UNSUPPORTED_FIELDS {
        let object = match field.object {
            "Pipeline" => &mut *schema,
            name => &mut schema["$defs"][name],
        };
        let Some(properties) = object["properties"].as_object_mut() else {
            continue;
        };
        properties.insert(field.name.to_owned(), other_field(field.support));
    }
}

fn other_field(support: Support) -> Value {
    match support {
        Support::Unused(reason) => {
            json!({ "deprecated": true, "description": format!("Not used: {reason}.") })
        }
        Support::Only(value, reason) => {
            json!({ "deprecated": true, "const": constant(value), "description": format!("Not used: {reason}.") })
        }
        Support::Refused(reason, _) => {
            json!({ "not": {}, "description": format!("Refused: {reason}.") })
        }
    }
}

/// A value as written in the table of fields.
fn constant(text: &str) -> Value {
    text.parse::<bool>()
        .map_or_else(|_| json!(text), Value::from)
}

/// The definition referenced by a schema, with its name; the schema itself if it holds no reference.
pub(super) fn resolve(schema: &Value) -> (&str, &Value) {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix("#/$defs/"));
    match name {
        Some(name) => (name, &CHECKED["$defs"][name]),
        None => (schema["title"].as_str().unwrap_or_default(), schema),
    }
}

/// The fields of an object's schema; none for other schemas.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema["properties"].as_object()
}
