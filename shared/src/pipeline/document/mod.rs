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

/// Greatest depth of nesting, so that no text can exhaust the stack.
const MAX_DEPTH: usize = 64;

/// Greatest number of nodes in a file, aliases expanded, so that no text can exhaust memory.
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
    let documents = if is_json(file, text) {
        json::read(text)
    } else {
        yaml::read(text)
    }?;
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

/// True if a text is read as JSON. JSON in a file named `.yaml` counts, unless the text is YAML
/// that only begins like JSON.
fn is_json(file: &str, text: &str) -> bool {
    let ending = FilePath::new(file)
        .extension()
        .and_then(|ending| ending.to_str());
    match ending {
        Some("json") => true,
        Some("yaml" | "yml") => text.trim_start().starts_with('{') && json::read(text).is_ok(),
        _ => text.trim_start().starts_with(['{', '[']),
    }
}
