//! The walk through a document along the schema.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::fields::{self, Support, UnsupportedField};
use super::scalar::{self, InvalidValue};
use super::suggest::{self, FieldSuggestion};
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::{Content, Entry, Node, Path};
use crate::pipeline::findings::Severity;
use crate::pipeline::schema::{CHECKED, properties, resolve};

/// Checks a document against the schema; values that do not fit are reported and left out.
pub(in crate::pipeline) fn check(root: &Node, report: &mut FindingCollector<'_>) -> Value {
    let walked = value(root, &CHECKED, &Path::root(), report);
    walked.unwrap_or_else(|| Value::Object(Map::new()))
}

fn value(
    node: &Node,
    schema: &Value,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<Value> {
    if node.is_null() {
        return None;
    }
    let (name, definition) = resolve(schema);
    let walked = match expected(definition) {
        ExpectedType::Object(fields) => object(node, name, fields, path, report),
        ExpectedType::Map => map(node, &definition["additionalProperties"], path, report),
        ExpectedType::List => list(node, definition, path, report),
        ExpectedType::Word(words) => scalar::word(node, &words),
        ExpectedType::Boolean => scalar::boolean(node),
        ExpectedType::Integer => scalar::integer(node, definition),
        ExpectedType::Number => scalar::number(node, definition),
        ExpectedType::Text => scalar::named_text(name, node),
    };
    walked
        .map_err(|invalid| report.error(path, invalid.message, invalid.advice))
        .ok()
}

/// The type expected by a schema.
enum ExpectedType<'schema> {
    Object(&'schema Map<String, Value>),
    Map,
    List,
    Word(Vec<&'schema str>),
    Boolean,
    Integer,
    Number,
    Text,
}

fn expected(definition: &Value) -> ExpectedType<'_> {
    if let Some(fields) = properties(definition) {
        return ExpectedType::Object(fields);
    }
    if let Some(words) = words(definition) {
        return ExpectedType::Word(words);
    }
    let kind = &definition["type"];
    match kind.as_str().or_else(|| kind[0].as_str()) {
        Some("object") => ExpectedType::Map,
        Some("array") => ExpectedType::List,
        Some("boolean") => ExpectedType::Boolean,
        Some("integer") => ExpectedType::Integer,
        Some("number") => ExpectedType::Number,
        _ => ExpectedType::Text,
    }
}

/// The words of an enum, plain or with a description each.
fn words(definition: &Value) -> Option<Vec<&str>> {
    if let Some(words) = definition["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let options = definition["oneOf"].as_array()?;
    Some(
        options
            .iter()
            .filter_map(|option| option["const"].as_str())
            .collect(),
    )
}

fn is_text(schema: &Value) -> bool {
    matches!(expected(resolve(schema).1), ExpectedType::Text)
}

fn object(
    node: &Node,
    name: &str,
    known: &Map<String, Value>,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Result<Value, InvalidValue> {
    let Content::Map(entries) = &node.content else {
        return Err(InvalidValue::expected(
            "an object",
            node,
            object_advice(name, known),
        ));
    };
    let mut checked = Map::new();
    let mut seen = HashSet::new();
    for entry in entries {
        let field = known.iter().find(|(field, _)| entry.names(field));
        let canonical = field.map_or(entry.key.as_str(), |(field, _)| field);
        if !seen.insert(canonical) {
            repeated(entry, canonical, path, report);
        } else if let Some((field, schema)) = field {
            if let Some(value) = value(&entry.value, schema, &path.field(field), report) {
                checked.insert(field.clone(), value);
            }
        } else if let Some(field) = fields::find(name, |field| entry.names(field)) {
            unsupported(entry, field, path, report);
        } else {
            unknown(entry, known, path, report);
        }
    }
    Ok(Value::Object(checked))
}

/// Advice for the expected object.
fn object_advice(name: &str, known: &Map<String, Value>) -> String {
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    match (name, names.as_slice()) {
        ("Pipeline", _) => "a spec has the fields `pipeline`, `transform` and `input`".to_owned(),
        ("Input", _) => {
            "for several inputs, list them under `cross`, `union`, `join` or `group`".to_owned()
        }
        (_, [only]) => format!("write `{only}: …` below it"),
        (_, several) => format!("with some of: {}", several.join(", ")),
    }
}

/// Names and values; a name without a value has the empty text.
fn map(
    node: &Node,
    schema: &Value,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Result<Value, InvalidValue> {
    let Content::Map(entries) = &node.content else {
        return Err(InvalidValue::expected(
            "an object of names and values",
            node,
            "",
        ));
    };
    let mut checked = Map::new();
    let mut seen = HashSet::new();
    for entry in entries {
        if !seen.insert(&entry.key) {
            repeated(entry, &entry.key, path, report);
        } else if entry.value.is_null() {
            checked.insert(entry.key.clone(), Value::from(""));
        } else if let Some(value) = value(&entry.value, schema, &path.field(&entry.key), report) {
            checked.insert(entry.key.clone(), value);
        }
    }
    Ok(Value::Object(checked))
}

fn list(
    node: &Node,
    definition: &Value,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Result<Value, InvalidValue> {
    let schema = &definition["items"];
    let takes_one = definition["type"].is_array();
    match &node.content {
        Content::List(items) => {
            let item = |(index, item)| value(item, schema, &path.index(index), report);
            Ok(Value::Array(
                items.iter().enumerate().filter_map(item).collect(),
            ))
        }
        Content::Quoted(_) | Content::Plain(_) if takes_one => {
            Ok(value(node, schema, path, report).into_iter().collect())
        }
        Content::Quoted(text) | Content::Plain(text) if is_text(schema) => {
            Err(InvalidValue::expected("a list", node, list_advice(text)))
        }
        Content::Plain(text) | Content::Literal(text) => Err(InvalidValue::expected(
            "a list",
            node,
            format!("write [{text}]"),
        )),
        _ => Err(InvalidValue::expected("a list", node, "")),
    }
}

/// Advice for writing a text as a list.
fn list_advice(text: &str) -> String {
    if text.contains(' ') {
        format!("one word an item; or let a shell read it: [\"sh\", \"-c\", {text:?}]")
    } else {
        format!("write [{text:?}]")
    }
}

fn repeated(entry: &Entry, field: &str, path: &Path, report: &mut FindingCollector<'_>) {
    let advice = "keep one of them; the first one counts here".to_owned();
    let message = "is given more than once".to_owned();
    report.add(
        Severity::Error,
        entry.key_at,
        &path.field(field),
        message,
        advice,
    );
}

fn unsupported(
    entry: &Entry,
    field: &UnsupportedField,
    path: &Path,
    report: &mut FindingCollector<'_>,
) {
    if entry.value.is_null() {
        return;
    }
    let path = path.field(field.name);
    let unused = |reason: &str| format!("is not used: {reason}");
    let refused = |reason: &str| format!("is refused: {reason}");
    let (severity, message) = match field.support {
        Support::Unused(reason) => (Severity::Note, unused(reason)),
        Support::Only(only, reason) if entry.value.scalar() == Some(only) => {
            (Severity::Note, unused(reason))
        }
        Support::Only(_, reason) | Support::Refused(reason) => (Severity::Error, refused(reason)),
    };
    report.add(severity, entry.key_at, &path, message, String::new());
}

fn unknown(
    entry: &Entry,
    known: &Map<String, Value>,
    path: &Path,
    report: &mut FindingCollector<'_>,
) {
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let suggestion = suggest::suggest(&entry.key, &names);
    if let FieldSuggestion::Misspelt(field) = suggestion {
        report.add_suggestion(&path.field(field));
    }
    let message = "there is no such field".to_owned();
    report.add(
        Severity::Error,
        entry.key_at,
        &path.field(&entry.key),
        message,
        suggestion.to_string(),
    );
}
