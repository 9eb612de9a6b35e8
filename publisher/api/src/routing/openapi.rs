//! The `OpenAPI` document, made from the types of the routes.

use axum::http::{Method, StatusCode};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::body::Body;
use super::error::ErrorBody;

/// Path of the document.
pub(crate) const PATH: &str = "/api/v1/openapi.json";

/// Introduction of the document.
const ABOUT: &str = "State of pipelines, jobs, datums and workers in `drover serve`, and actions on them. \
    Times are RFC 3339 in UTC, durations seconds, sizes bytes. Where tokens are set, every request except the one for this document \
    must carry one: `Authorization: Bearer TOKEN`; a read-only token permits GET only.";

/// Builder of the document.
pub(crate) struct Document {
    /// Generator for the schemas of answers; a schema that several routes share appears once.
    generator: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Default for Document {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            generator: settings.for_serialize().into_generator(),
            paths: Map::new(),
        }
    }
}

/// Description of one route.
pub(crate) struct Operation(Value);

impl Operation {
    /// Describes a route with parameters, body and answer.
    pub(crate) fn of<P: JsonSchema, Q: JsonSchema, B: Body, A: JsonSchema>(
        generator: &mut SchemaGenerator,
        status: StatusCode,
        about: &str,
    ) -> Self {
        let mut asked = parameters::<P>("path");
        asked.extend(parameters::<Q>("query"));
        let answer = if status == StatusCode::NO_CONTENT {
            json!({ "description": "Done." })
        } else {
            let schema = Value::from(generator.subschema_for::<A>());
            json!({ "description": "The answer.", "content": { "application/json": { "schema": schema } } })
        };
        let mut operation = Self::new(generator, status, about, &asked, &answer);
        if let Some((kinds, schema)) = B::schema(generator) {
            let content: Map<String, Value> = kinds
                .iter()
                .map(|kind| ((*kind).to_owned(), json!({ "schema": schema })))
                .collect();
            operation.0["requestBody"] = json!({ "content": content });
        }
        operation
    }

    /// Names of the parameters in the query.
    pub(crate) fn query_names(&self) -> Vec<String> {
        let parameters = self.0["parameters"].as_array().into_iter().flatten();
        parameters
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
            .collect()
    }

    /// Describes a route that answers with bytes of the media type `kind`.
    pub(crate) fn bytes<P: JsonSchema, Q: JsonSchema>(
        generator: &mut SchemaGenerator,
        kind: &str,
        about: &str,
    ) -> Self {
        let mut asked = parameters::<P>("path");
        asked.extend(parameters::<Q>("query"));
        let content = json!({ kind: { "schema": { "type": "string", "format": "binary" } } });
        let answer = json!({ "description": "The bytes.", "content": content });
        Self::new(generator, StatusCode::OK, about, &asked, &answer)
    }

    /// Describes a route that answers with a stream of events.
    pub(crate) fn stream(generator: &mut SchemaGenerator, about: &str) -> Self {
        let answer = json!({
            "description": "Events, for as long as the client listens.",
            "content": { "text/event-stream": { "schema": { "type": "string" } } },
        });
        Self::new(generator, StatusCode::OK, about, &[], &answer)
    }

    fn new(
        generator: &mut SchemaGenerator,
        status: StatusCode,
        about: &str,
        parameters: &[Value],
        answer: &Value,
    ) -> Self {
        let error = Value::from(generator.subschema_for::<ErrorBody>());
        let mut operation = json!({
            "summary": about,
            "parameters": parameters,
            "responses": {
                "default": {
                    "description": "The request failed; the status and `kind` give the reason.",
                    "content": { "application/json": { "schema": error } },
                },
            },
        });
        operation["responses"][status.as_str()] = answer.clone();
        Self(operation)
    }
}

impl Document {
    pub(crate) fn generator(&mut self) -> &mut SchemaGenerator {
        &mut self.generator
    }

    pub(crate) fn add(&mut self, method: &Method, path: &str, operation: Operation) {
        let path = self.paths.entry(path).or_insert_with(|| json!({}));
        path[method.as_str().to_ascii_lowercase()] = operation.0;
    }

    pub(crate) fn finish(mut self) -> Value {
        let mut document = json!({
            "openapi": "3.1.0",
            "info": { "title": "Drover", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
            "paths": self.paths,
            "components": {
                "schemas": self.generator.take_definitions(true),
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            },
            "security": [{ "token": [] }, {}],
        });
        plain_enumerations(&mut document);
        document
    }
}

/// Replaces alternatives of constants, which hold a description each, by enumerations, which generators of clients know.
fn plain_enumerations(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(plain_enumerations),
        Value::Object(fields) => {
            let alternatives = fields.get("oneOf").and_then(Value::as_array);
            let words: Option<Vec<Value>> = alternatives.and_then(|all| {
                let word =
                    |each: &Value| each.get("const").filter(|word| word.is_string()).cloned();
                all.iter().map(word).collect()
            });
            if let Some(words) = words {
                fields.remove("oneOf");
                fields.insert("type".to_owned(), json!("string"));
                fields.insert("enum".to_owned(), Value::Array(words));
            }
            fields.values_mut().for_each(plain_enumerations);
        }
        _ => {}
    }
}

/// The fields of `T` as a list of parameters.
fn parameters<T: JsonSchema>(place: &str) -> Vec<Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = Value::from(settings.into_generator().into_root_schema_for::<T>());
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let about = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("description"));
        let mut parameter = json!({
            "name": name,
            "in": place,
            "required": place == "path" || required.contains(&json!(name)),
            "description": about,
            "schema": schema,
        });
        if parameter["schema"]["type"] == "array" {
            // Values separated by commas.
            parameter["style"] = json!("form");
            parameter["explode"] = json!(false);
        }
        parameter
    };
    fields.into_iter().map(parameter).collect()
}
