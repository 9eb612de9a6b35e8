//! Parses text into trees of nodes with positions, for every notation.
//!
//! JSON (documents back to back) and YAML (documents between `---`) end as the same [`Node`]s.
//! Scalars are interpreted later: the schema knows the type of each field.

mod json;
mod node;
mod path;
mod yaml;

use std::path::Path as FilePath;

pub(super) use node::{Content, Entry, Node, Position};
pub(super) use path::Path;

/// Greatest size of a spec file, in bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Greatest depth of nesting, so no text can exhaust the stack.
const MAX_DEPTH: usize = 64;

/// Greatest number of nodes in a file, aliases expanded, so no text can exhaust memory.
const MAX_NODES: usize = 200_000;

/// Why a text is no document, and where.
#[derive(Debug)]
pub(super) struct DocumentError {
    pub(super) at: Position,
    pub(super) message: String,
    pub(super) advice: String,
}

impl DocumentError {
    fn new(at: Position, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            advice: advice.into(),
        }
    }
}

/// Reads all documents of a text; empty documents are left out.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Node>, DocumentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_BYTES / 1024 / 1024);
        return Err(DocumentError::new(
            Position::START,
            message,
            "is this a pipeline spec?",
        ));
    }
    refuse_template(file, text)?;
    let documents = flatten(parse(file, text)?);
    let documents: Vec<Node> = documents
        .into_iter()
        .filter(|node| !node.is_null())
        .collect();
    if documents.is_empty() {
        let advice = "write at least `pipeline`, `transform` and `input`";
        return Err(DocumentError::new(
            Position::START,
            "there is no pipeline in this file",
            advice,
        ));
    }
    Ok(documents)
}

/// Parses a text as JSON or YAML. JSON with the freedoms of YAML (comments, trailing commas, bare keys) is read as YAML.
fn parse(file: &str, text: &str) -> Result<Vec<Node>, DocumentError> {
    let ending = extension(file);
    let begins_like_json = text.trim_start().starts_with(['{', '[']);
    if ending != Some("json") && !begins_like_json {
        return yaml::read(text);
    }
    let error = match json::read(text) {
        Ok(documents) => return Ok(documents),
        Err(error) if error.advice == json::COMMENTS => return Err(error),
        Err(error) => error,
    };
    let is_collection = |node: &Node| node.scalar().is_none() || node.is_null();
    match yaml::read(text) {
        Ok(documents) if documents.iter().all(is_collection) => Ok(documents),
        Err(error) if matches!(ending, Some("yaml" | "yml")) => Err(error),
        _ => Err(error),
    }
}

/// The documents, with the items of a list in its place.
fn flatten(documents: Vec<Node>) -> Vec<Node> {
    let items = |node: Node| match node.content {
        Content::List(items) => items,
        _ => vec![node],
    };
    documents.into_iter().flat_map(items).collect()
}

/// Jsonnet templates need values before they are specs.
fn refuse_template(file: &str, text: &str) -> Result<(), DocumentError> {
    let begins_like_one = || {
        let code = text.trim_start();
        code.starts_with("function(") || code.starts_with("local ")
    };
    if !matches!(extension(file), Some("jsonnet" | "libsonnet")) && !begins_like_one() {
        return Ok(());
    }
    let name = FilePath::new(file).file_name().unwrap_or_default();
    let name = match name.to_string_lossy() {
        name if extension(file).is_some() => name.into_owned(),
        _ => "FILE.jsonnet".to_owned(),
    };
    let advice = format!("render it first: `jsonnet {name} | drover validate -`");
    let message = "this is a Jsonnet template, not a spec";
    Err(DocumentError::new(Position::START, message, advice))
}

fn extension(file: &str) -> Option<&str> {
    FilePath::new(file).extension()?.to_str()
}
