//! Suggestions for unknown fields.

use std::fmt;

use crate::names::similar;
use crate::pipeline::fields::OBJECTS;
use crate::pipeline::schema::{CHECKED, properties};

/// The probable meaning of an unknown field.
pub(super) enum FieldSuggestion<'known> {
    /// A field of the same object.
    Misspelt(&'known str),
    /// A field of a different object: the field and the object.
    Misplaced(String, &'static str),
    /// No similar field; the known fields are listed.
    Unclear(Vec<&'known str>),
}

impl fmt::Display for FieldSuggestion<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misspelt(field) => write!(out, "did you mean `{field}`?"),
            Self::Misplaced(field, owner) => write!(out, "move it: `{field}` belongs into {owner}"),
            Self::Unclear(known) if known.len() > 10 => {
                out.write_str("delete it; docs/pipeline.md lists all fields")
            }
            Self::Unclear(known) => write!(out, "delete it; known here: {}", known.join(", ")),
        }
    }
}

/// The probable meaning of an unknown field in an object with the given fields.
pub(super) fn suggest<'known>(unknown: &str, known: &[&'known str]) -> FieldSuggestion<'known> {
    let unknown = snake_case(unknown);
    if let Some(field) = similar(&unknown, known.iter().copied()) {
        return FieldSuggestion::Misspelt(field);
    }
    match owner(&unknown) {
        Some(owner) => FieldSuggestion::Misplaced(unknown, owner),
        None => FieldSuggestion::Unclear(known.to_vec()),
    }
}

/// The most usual object with a field of exactly the name.
fn owner(field: &str) -> Option<&'static str> {
    let has = |object: &str| {
        let schema = if object == "Pipeline" {
            &*CHECKED
        } else {
            &CHECKED["$defs"][object]
        };
        properties(schema).is_some_and(|fields| fields.contains_key(field))
    };
    OBJECTS
        .iter()
        .find(|(object, _)| has(object))
        .map(|(_, place)| *place)
}

/// `datumSetSpec` and `datum-set-spec` -> `datum_set_spec`.
fn snake_case(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '-' | ' ' => spelled.push('_'),
            _ if each.is_uppercase() => {
                if !spelled.is_empty() && !spelled.ends_with('_') {
                    spelled.push('_');
                }
                spelled.extend(each.to_lowercase());
            }
            _ => spelled.push(each),
        }
    }
    spelled
}
