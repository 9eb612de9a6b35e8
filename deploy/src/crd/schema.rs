//! The schema of the spec, as Kubernetes wants schemas: *structural*. No references, so no recursion; every value has
//! one type; no `examples`, no `const`.

use drover_shared::pipeline;
use schemars::Schema;
use serde_json::{Map, Value, json};

use super::rules;

/// How deep operators of inputs (`cross` and its like) are spelt out. Deeper ones are let pass here; the operator
/// checks all of the spec.
const SPELT_OUT: usize = 1;

/// Documented defaults that hold only beside another field, so the API server must not fill them in.
const CONDITIONAL_DEFAULTS: [&str; 1] = ["standby_after"];

/// The schema of a spec.
pub(super) fn structural() -> Schema {
    let whole = pipeline::schema();
    let definitions = Definitions(&whole["$defs"]);
    let spec = definitions.object("Pipeline", &whole, 0);
    Schema::from(spec)
}

/// The definitions that schemas refer to.
struct Definitions<'a>(&'a Value);

impl Definitions<'_> {
    /// An object with its fields, its rules, and what is required of it.
    fn object(&self, name: &str, schema: &Value, depth: usize) -> Map<String, Value> {
        let mut structural = keep(schema, &["description", "minProperties", "maxProperties"]);
        structural.insert("type".to_owned(), json!("object"));
        let mut fields = Map::new();
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            if is_ours(schema) {
                fields.insert(field.clone(), self.field(name, field, schema, depth).into());
            }
        }
        structural.insert("properties".to_owned(), fields.into());
        let required = rules::required(name);
        if !required.is_empty() {
            structural.insert("required".to_owned(), json!(required));
        }
        let rules = rules::rules(name).iter();
        let rules: Vec<_> = rules
            .map(|(rule, message)| json!({ "rule": rule, "message": message }))
            .collect();
        if !rules.is_empty() {
            structural.insert("x-kubernetes-validations".to_owned(), rules.into());
        }
        structural
    }

    fn field(&self, object: &str, field: &str, schema: &Value, depth: usize) -> Map<String, Value> {
        let mut structural = self.value(schema, depth);
        structural.extend(rules::bounds(object, field));
        if CONDITIONAL_DEFAULTS.contains(&field) {
            structural.remove("default");
        }
        structural
    }

    fn value(&self, schema: &Value, depth: usize) -> Map<String, Value> {
        let reference = schema["$ref"].as_str();
        let mut structural = match reference.and_then(|path| path.strip_prefix("#/$defs/")) {
            Some("Input") if depth > SPELT_OUT => anything(),
            Some(name) => self.defined(name, depth + usize::from(name == "Input")),
            None => self.plain(schema, depth),
        };
        // What stands beside a reference is about this very field.
        structural.extend(keep(schema, &["description", "default"]));
        structural
    }

    fn defined(&self, name: &str, depth: usize) -> Map<String, Value> {
        let schema = &self.0[name];
        if schema["properties"].is_object() {
            return self.object(name, schema, depth);
        }
        self.plain(schema, depth)
    }

    fn plain(&self, schema: &Value, depth: usize) -> Map<String, Value> {
        if let Some(choices) = schema["oneOf"].as_array() {
            return choice(schema, choices);
        }
        let kept = [
            "description",
            "default",
            "enum",
            "pattern",
            "minimum",
            "maximum",
            "minLength",
        ];
        let mut structural = keep(schema, &kept);
        if is_int_or_string(&schema["type"]) {
            structural.remove("pattern");
            structural.insert("x-kubernetes-int-or-string".to_owned(), json!(true));
            return structural;
        }
        let kind = kind(&schema["type"]);
        structural.insert("type".to_owned(), json!(kind));
        match kind {
            "array" => {
                let items = self.value(&schema["items"], depth);
                structural.insert("items".to_owned(), items.into());
            }
            "object" => {
                let values = self.value(&schema["additionalProperties"], depth);
                structural.insert("additionalProperties".to_owned(), values.into());
            }
            "integer" => {
                let format = if schema["format"] == "int32" {
                    "int32"
                } else {
                    "int64"
                };
                structural.insert("format".to_owned(), json!(format));
            }
            "number" => {
                structural.insert("format".to_owned(), json!("double"));
            }
            _ => {}
        }
        structural
    }
}

/// One of several words, each with its description.
fn choice(schema: &Value, choices: &[Value]) -> Map<String, Value> {
    let mut structural = keep(schema, &["description"]);
    let words: Vec<_> = choices.iter().map(|choice| &choice["const"]).collect();
    structural.insert("type".to_owned(), json!("string"));
    structural.insert("enum".to_owned(), json!(words));
    structural
}

/// Whatever a person writes; it is checked later.
fn anything() -> Map<String, Value> {
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        (
            "x-kubernetes-preserve-unknown-fields".to_owned(),
            json!(true),
        ),
    ])
}

/// Fields that are read over or refused are told to editors, not to the API server.
fn is_ours(schema: &Value) -> bool {
    schema["deprecated"] != true && schema.get("not").is_none()
}

/// True for the one union of types that Kubernetes knows.
fn is_int_or_string(types: &Value) -> bool {
    *types == json!(["string", "integer"])
}

/// Of several types, the one that the normal form of a spec has; it stands first.
fn kind(types: &Value) -> &str {
    let first = types.as_array().and_then(|types| types.first());
    first.unwrap_or(types).as_str().unwrap_or("object")
}

fn keep(schema: &Value, keywords: &[&str]) -> Map<String, Value> {
    let kept = keywords.iter().filter_map(|keyword| {
        let value = schema.get(keyword)?;
        Some(((*keyword).to_owned(), value.clone()))
    });
    kept.collect()
}
