//! A node of a document: content and position.

use std::borrow::Cow;

use serde_json::Value;

use super::path::{Path, Segment};

/// A place in a text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::pipeline) struct Position {
    /// Counted from 1; 0 without a text.
    pub(in crate::pipeline) line: usize,
    /// Counted in characters from 1; 0 without a text.
    pub(in crate::pipeline) column: usize,
}

impl Position {
    /// The beginning of a text.
    pub(in crate::pipeline) const START: Self = Self { line: 1, column: 1 };

    /// The position of nodes that were not read from a text.
    pub(in crate::pipeline) const NOWHERE: Self = Self { line: 0, column: 0 };
}

/// A value in a document.
#[derive(Clone, Debug)]
pub(in crate::pipeline) struct Node {
    pub(in crate::pipeline) at: Position,
    pub(in crate::pipeline) content: Content,
}

/// The content of a node.
#[derive(Clone, Debug)]
pub(in crate::pipeline) enum Content {
    /// A certain text: in quotes, or a YAML block.
    Quoted(String),
    /// A YAML scalar without quotes: whether `1.10` is a text or a number is for the schema to say.
    Plain(String),
    /// JSON's numbers, `true`, `false` and `null`, which are never texts.
    Literal(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in the order written; keys may repeat.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(in crate::pipeline) struct Entry {
    pub(in crate::pipeline) key: String,
    pub(in crate::pipeline) key_at: Position,
    pub(in crate::pipeline) value: Node,
}

impl Node {
    /// True for an empty value or an explicit null; both mean an absent field.
    pub(in crate::pipeline) fn is_null(&self) -> bool {
        match &self.content {
            Content::Plain(text) => matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Content::Literal(text) => text == "null",
            _ => false,
        }
    }

    /// The text of a scalar, in any notation.
    pub(in crate::pipeline) fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Quoted(text) | Content::Plain(text) | Content::Literal(text) => Some(text),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// A description of the value for messages.
    pub(in crate::pipeline) fn describe(&self) -> Cow<'static, str> {
        match &self.content {
            Content::Quoted(text) => format!("the text {:?}", shortened(text)).into(),
            Content::Plain(text) | Content::Literal(text) => {
                format!("`{}`", shortened(text)).into()
            }
            Content::List(_) => "a list".into(),
            Content::Map(_) => "an object".into(),
        }
    }

    /// The position of the value at a path, or of the nearest enclosing value. Scalars are located
    /// at the value, lists and objects at their key.
    pub(in crate::pipeline) fn position(&self, path: &Path) -> Position {
        let mut node = self;
        let mut position = self.at;
        for segment in path.segments() {
            let Some((place, child)) = node.child(segment) else {
                break;
            };
            position = place;
            node = child;
        }
        position
    }

    /// True if the document holds a value at the path.
    pub(in crate::pipeline) fn holds(&self, path: &Path) -> bool {
        let mut node = self;
        for segment in path.segments() {
            let Some((_, child)) = node.child(segment) else {
                return false;
            };
            node = child;
        }
        !node.is_null()
    }

    /// True if the values are equal, in any notation and at any position.
    pub(in crate::pipeline) fn equals(&self, other: &Node) -> bool {
        match (&self.content, &other.content) {
            (Content::List(left), Content::List(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|(left, right)| left.equals(right))
            }
            (Content::Map(left), Content::Map(right)) => {
                let equals = |(left, right): (&Entry, &Entry)| {
                    left.key == right.key && left.value.equals(&right.value)
                };
                left.len() == right.len() && left.iter().zip(right).all(equals)
            }
            _ => self.scalar().is_some() && self.scalar() == other.scalar(),
        }
    }

    fn child(&self, segment: &Segment) -> Option<(Position, &Node)> {
        match (segment, &self.content) {
            (Segment::Field(name), Content::Map(entries)) => {
                let entry = entries.iter().find(|entry| entry.names(name))?;
                let place = match entry.value.content {
                    Content::List(_) | Content::Map(_) => entry.key_at,
                    _ => entry.value.at,
                };
                Some((place, &entry.value))
            }
            (Segment::Index(index), Content::List(items)) => {
                items.get(*index).map(|item| (item.at, item))
            }
            _ => None,
        }
    }
}

/// Older names of fields, with their present names.
const RENAMED: [(&str, &str); 1] = [("atom", "pfs")];

impl Entry {
    /// True if the key is a spelling of the field: identical, in camelCase, in lower case, or an older name.
    pub(in crate::pipeline) fn names(&self, field: &str) -> bool {
        self.key == field
            || camel_case(field).eq(self.key.chars())
            || field
                .chars()
                .flat_map(char::to_lowercase)
                .eq(self.key.chars())
            || self.is_older_name_of(field)
    }

    /// True if the key is an older name of the field.
    pub(in crate::pipeline) fn is_older_name_of(&self, field: &str) -> bool {
        RENAMED.contains(&(self.key.as_str(), field))
    }
}

impl From<&Value> for Node {
    /// A node without a text; the caller bounds the depth.
    fn from(value: &Value) -> Self {
        let content = match value {
            Value::String(text) => Content::Quoted(text.clone()),
            Value::Null | Value::Bool(_) | Value::Number(_) => Content::Literal(value.to_string()),
            Value::Array(items) => Content::List(items.iter().map(Node::from).collect()),
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| Entry {
                    key: key.clone(),
                    key_at: Position::NOWHERE,
                    value: Node::from(value),
                };
                Content::Map(map.iter().map(entry).collect())
            }
        };
        Self {
            at: Position::NOWHERE,
            content,
        }
    }
}

/// `datum_set_spec` -> `datumSetSpec`.
fn camel_case(field: &str) -> impl Iterator<Item = char> {
    let mut raise = false;
    field.chars().filter_map(move |each| {
        if each == '_' {
            raise = true;
            return None;
        }
        let spelled = if raise {
            each.to_ascii_uppercase()
        } else {
            each
        };
        raise = false;
        Some(spelled)
    })
}

/// At most 40 characters of a text, for messages.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 40 {
        return text.to_owned();
    }
    text.chars().take(39).chain(['…']).collect()
}
