//! The schema of the spec in the *structural* form that Kubernetes requires: no references, so no recursion; one type
//! per value; no `examples`, no `const`.

use drover_shared::pipeline;
use schemars::Schema;
use serde_json::{Map, Value, json};

use super::rules;

/// Depth to which the input operators (`cross`, `union` and so on) are written out. The schema accepts anything below
/// that depth; the operator checks the whole spec.
const SPELT_OUT: usize = 1;

/// Documented defaults that the API server must not fill in: they apply only beside another field, or are newer than
/// resources that would change by them.
const CONDITIONAL_DEFAULTS: [&str; 3] = ["standby_after", "max_datums", "tz"];

/// The field of the scale subresource. Only the operator reads the field; a spec in the store has none.
pub(crate) const REPLICAS: &str = "replicas";

/// The largest value of [`REPLICAS`], as of `parallelism_spec.constant`.
const MAX_REPLICAS: u32 = 100_000;

const REPLICAS_MEANING: &str = "The number of workers that `kubectl scale` or an autoscaler asks for; it takes the place of \
    `parallelism_spec`, whether constant or coefficient. 0 pauses the pipeline: its jobs wait. Without the field \
    `parallelism_spec` holds.";

/// The schema of a spec.
pub(super) fn structural() -> Schema {
    let whole = pipeline::schema();
    let definitions = Definitions(&whole["$defs"]);
    let mut spec = definitions.object("Pipeline", &whole, 0);
    spec["properties"][REPLICAS] = json!({
        "type": "integer",
        "format": "int32",
        "minimum": 0,
        "maximum": MAX_REPLICAS,
        "description": REPLICAS_MEANING,
    });
    Schema::from(spec)
}

/// The definitions to which the schema's references point.
struct Definitions<'a>(&'a Value);

impl Definitions<'_> {
    /// The schema of an object: fields, required fields and CEL rules.
    fn object(&self, name: &str, schema: &Value, depth: usize) -> Map<String, Value> {
        let mut structural = keep(schema, &["description"]);
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
        // Keywords beside a reference describe this particular field.
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
                if items.contains_key("x-kubernetes-validations") {
                    // The API server multiplies the cost of a rule by the length of the list.
                    structural.insert("maxItems".to_owned(), json!(rules::MAX_ITEMS));
                }
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

/// An enumeration of strings, each with a description.
fn choice(schema: &Value, choices: &[Value]) -> Map<String, Value> {
    let mut structural = keep(schema, &["description"]);
    let words: Vec<_> = choices.iter().map(|choice| &choice["const"]).collect();
    structural.insert("type".to_owned(), json!("string"));
    structural.insert("enum".to_owned(), json!(words));
    structural
}

/// Any object; the operator checks its content later.
fn anything() -> Map<String, Value> {
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        (
            "x-kubernetes-preserve-unknown-fields".to_owned(),
            json!(true),
        ),
    ])
}

/// False for fields that the parser ignores or refuses: editors see them, the API server does not.
fn is_ours(schema: &Value) -> bool {
    schema["deprecated"] != true && schema.get("not").is_none()
}

/// True for the only union of types in Kubernetes.
fn is_int_or_string(types: &Value) -> bool {
    *types == json!(["string", "integer"])
}

/// The first of several types: the type of the normal form.
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
