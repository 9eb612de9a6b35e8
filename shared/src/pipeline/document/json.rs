//! JSON: one or several documents, back to back.

use std::cell::Cell;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::de::IgnoredAny;

use super::{Content, DocumentError, Entry, MAX_DEPTH, MAX_NODES, Node, Position};

/// JSON to the letter: syntax was checked by `serde_json` before.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads all documents of a JSON text.
pub(super) fn read(text: &str) -> Result<Vec<Node>, DocumentError> {
    let mut reader = Reader {
        lines: Lines::of(text),
        nodes: 0,
    };
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut documents = Vec::new();
    let mut start = 0;
    while let Some(document) = stream.next() {
        document.map_err(|error| syntax_error(text, &error))?;
        let end = stream.byte_offset();
        documents.push(reader.document(&text[start..end], start)?);
        start = end;
    }
    Ok(documents)
}

/// The advice for comments of other languages, which YAML does not read either.
pub(super) const COMMENTS: &str = "write comments with `#`, as in YAML";

/// Builds nodes and counts them.
struct Reader<'text> {
    lines: Lines<'text>,
    nodes: usize,
}

impl Reader<'_> {
    fn document(&mut self, text: &str, start: usize) -> Result<Node, DocumentError> {
        let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
            let at = self.lines.position(start + error.range().start);
            DocumentError::new(at, lower_first(&error.kind().to_string()), "")
        })?;
        match parsed.value {
            Some(value) => self.node(&value, start, 0),
            None => Ok(Node {
                at: Position::START,
                content: Content::Literal("null".to_owned()),
            }),
        }
    }

    fn node(
        &mut self,
        value: &Value<'_>,
        start: usize,
        depth: usize,
    ) -> Result<Node, DocumentError> {
        let at = self.lines.position(start + value.range().start);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the file holds more than {MAX_NODES} values");
            return Err(DocumentError::new(at, message, "is this a pipeline spec?"));
        }
        if depth > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(DocumentError::new(at, message, "is this a pipeline spec?"));
        }
        let content = match value {
            Value::StringLit(text) => Content::Quoted(text.value.to_string()),
            Value::NumberLit(number) => Content::Literal(number.value.to_owned()),
            Value::BooleanLit(boolean) => Content::Literal(boolean.value.to_string()),
            Value::NullKeyword(_) => Content::Literal("null".to_owned()),
            Value::Array(array) => {
                let items = array.elements.iter();
                Content::List(
                    items
                        .map(|item| self.node(item, start, depth + 1))
                        .collect::<Result<_, _>>()?,
                )
            }
            Value::Object(object) => {
                let mut entries = Vec::with_capacity(object.properties.len());
                for property in &object.properties {
                    entries.push(Entry {
                        key: property.name.as_str().to_owned(),
                        key_at: self.lines.position(start + property.name.range().start),
                        value: self.node(&property.value, start, depth + 1)?,
                    });
                }
                Content::Map(entries)
            }
        };
        Ok(Node { at, content })
    }
}

/// Where the lines of a text begin, to turn offsets into positions.
struct Lines<'text> {
    text: &'text str,
    starts: Vec<usize>,
    /// The last position found, with its offset: later positions of the same line are counted from there.
    last: Cell<(usize, Position)>,
}

impl<'text> Lines<'text> {
    fn of(text: &'text str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = [0]
            .into_iter()
            .chain(breaks.map(|(offset, _)| offset + 1))
            .collect();
        let last = Cell::new((0, Position::START));
        Self { text, starts, last }
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let (known, at) = self.last.get();
        let (from, column) = if at.line == line && known <= offset {
            (known, at.column)
        } else {
            (self.starts[line - 1], 1)
        };
        let between = self.text.get(from..offset).unwrap_or_default();
        let position = Position {
            line,
            column: column + between.chars().count(),
        };
        self.last.set((offset, position));
        position
    }
}

fn syntax_error(text: &str, error: &serde_json::Error) -> DocumentError {
    let line = text
        .split('\n')
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    let before = line.get(..error.column().saturating_sub(1)).unwrap_or(line);
    let at = Position {
        line: error.line().max(1),
        column: before.chars().count() + 1,
    };
    let message = error.to_string();
    let message = message
        .split(" at line ")
        .next()
        .unwrap_or(&message)
        .to_owned();
    let rest = line.get(before.len()..).unwrap_or_default();
    let advice = if rest.starts_with('/') {
        COMMENTS
    } else if rest.starts_with(',') {
        "remove one of the commas"
    } else if rest.starts_with(['}', ']']) {
        "remove the comma before it"
    } else if message.contains("key must be a string") {
        "put the key in double quotes"
    } else if message.contains("trailing comma") {
        "remove the last comma"
    } else if message.starts_with("EOF") {
        "a closing brace, bracket or quote is missing"
    } else {
        ""
    };
    DocumentError::new(at, format!("not JSON: {}", lower_first(&message)), advice)
}

fn lower_first(text: &str) -> String {
    if text.starts_with("EOF") {
        return text.replacen("EOF", "the file ends", 1);
    }
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(rest).collect()
    })
}
