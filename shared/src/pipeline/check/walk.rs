//! The walk through a document along the schema.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::scalar::{self, InvalidValue};
use super::suggest::{self, FieldSuggestion};
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::{Content, Entry, Node, Path};
use crate::pipeline::fields::{self, Support, UnsupportedField};
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
        return gpus(node, name, path, report).unwrap_or_else(|| {
            let advice = object_advice(name, known);
            Err(InvalidValue::expected("an object", node, advice))
        });
    };
    let mut checked = Map::new();
    let mut seen: HashMap<&str, &Entry> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.key != SCHEMA_KEY) {
        let field = known.iter().find(|(field, _)| entry.names(field));
        let canonical = field.map_or(entry.key.as_str(), |(field, _)| field);
        if let Some(first) = seen.get(canonical) {
            repeated(first, entry, canonical, path, report);
            continue;
        }
        seen.insert(canonical, entry);
        if let Some((field, schema)) = field {
            note_older_name(entry, field, path, report);
            if let Some(value) = value(&entry.value, schema, &path.field(field), report) {
                checked.insert(field.clone(), value);
            }
        } else if let Some(field) = fields::find(name, |field| entry.names(field)) {
            unsupported(entry, field, path, report);
        } else {
            unknown(entry, name, known, path, report);
        }
    }
    Ok(Value::Object(checked))
}

/// The key that editors use to find a schema; allowed in any object.
const SCHEMA_KEY: &str = "$schema";

/// Old specs give the number of GPUs alone. Nothing if this is no such number.
fn gpus(
    node: &Node,
    name: &str,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<Result<Value, InvalidValue>> {
    let number: u32 = node.scalar().filter(|_| name == "Gpu")?.parse().ok()?;
    if number == 0 {
        report.note(path, "is not used: 0 GPUs are none", "delete the line");
        return Some(Ok(Value::Null));
    }
    let written = format!("{{type: {USUAL_GPU}, number: {number}}}");
    report.note(
        path,
        format!("is read as `{written}`"),
        format!("write `gpu: {written}`"),
    );
    Some(Ok(json!({ "type": USUAL_GPU, "number": number })))
}

/// The resource of GPUs given by their number alone.
const USUAL_GPU: &str = "nvidia.com/gpu";

fn note_older_name(entry: &Entry, field: &str, path: &Path, report: &mut FindingCollector<'_>) {
    if entry.is_older_name_of(field) {
        let message = format!("`{}` is the older name of `{field}`", entry.key);
        let advice = format!("write `{field}`");
        let at = Some(entry.key_at);
        report.add(Severity::Note, at, &path.field(field), message, advice);
    }
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
    let mut seen: HashMap<&str, &Entry> = HashMap::new();
    for entry in entries {
        if let Some(first) = seen.get(entry.key.as_str()) {
            repeated(first, entry, &entry.key, path, report);
            continue;
        }
        seen.insert(&entry.key, entry);
        if entry.value.is_null() {
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
            let item = |(index, item)| list_item(item, schema, &path.index(index), report);
            Ok(Value::Array(
                items.iter().enumerate().filter_map(item).collect(),
            ))
        }
        Content::Quoted(text) if takes_one && text.is_empty() => Ok(json!([])),
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

/// An item without a value is the empty text in a list of texts, and refused in other lists.
fn list_item(
    item: &Node,
    schema: &Value,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<Value> {
    if !item.is_null() {
        return value(item, schema, path, report);
    }
    if is_text(schema) {
        return Some(Value::from(""));
    }
    report.error(path, "is empty", "write a value, or delete the item");
    None
}

/// Advice for writing a text as a list.
fn list_advice(text: &str) -> String {
    if text.contains(' ') {
        format!("one word an item; or let a shell read it: [\"sh\", \"-c\", {text:?}]")
    } else {
        format!("write [{text:?}]")
    }
}

/// The first of several equal values counts; different values are refused.
fn repeated(
    first: &Entry,
    entry: &Entry,
    field: &str,
    path: &Path,
    report: &mut FindingCollector<'_>,
) {
    let (severity, message, advice) = if first.value.equals(&entry.value) {
        let message = "is given more than once, with the same value";
        (Severity::Note, message, "delete one of them")
    } else {
        let message = "is given more than once, with different values";
        let advice = "delete all but one of them; Pachyderm took the last one";
        (Severity::Error, message, advice)
    };
    let at = Some(entry.key_at);
    report.add(severity, at, &path.field(field), message, advice);
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
    let at = Some(entry.key_at);
    let refused = |reason: &str| format!("is refused: {reason}");
    match field.support {
        Support::Only(only, reason) if entry.value.scalar() != Some(only) => {
            let advice = format!("delete it, or write `{only}`");
            report.add(Severity::Error, at, &path, refused(reason), advice);
        }
        Support::Unused(reason) | Support::Only(_, reason) => {
            let message = format!("is not used: {reason}");
            report.add(Severity::Note, at, &path, message, "");
        }
        Support::Refused(reason, advice) => {
            report.add(Severity::Error, at, &path, refused(reason), advice);
        }
    }
}

fn unknown(
    entry: &Entry,
    name: &str,
    known: &Map<String, Value>,
    path: &Path,
    report: &mut FindingCollector<'_>,
) {
    let at = Some(entry.key_at);
    let message = "there is no such field";
    let field = path.field(&entry.key);
    if name == "Pipeline" && entry.key == "inputs" {
        report.add_suggestion(&path.field("input"));
        let advice = "write `input: {cross: [{pfs: {…}}, …]}` with a `pfs` for each of the inputs";
        report.add(Severity::Error, at, &field, message, advice);
        return;
    }
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let suggestion = suggest::suggest(&entry.key, &names);
    if let FieldSuggestion::Misspelt(field) = suggestion {
        report.add_suggestion(&path.field(field));
    }
    let advice = suggestion.to_string();
    report.add(Severity::Error, at, &field, message, advice);
}
