//! The trace context of W3C's recommendation: the span and the trace behind a piece of work.

use std::fmt;
use std::str::FromStr;

use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::id::InvalidId;

/// Lengths of version, trace id, parent id and flags in hex digits.
const LENGTHS: [usize; 4] = [2, 32, 16, 2];

/// A trace context, in the format of version 00: `00-<trace id>-<parent id>-<flags>`, 55 characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq, DeserializeFromStr, SerializeDisplay)]
pub struct TraceParent(String);

impl TraceParent {
    /// Name of the environment variable with the trace context of a process.
    pub const VARIABLE: &str = "TRACEPARENT";

    /// The context as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = InvalidId;

    /// A later version may append further fields, unknown to version 00.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_hex = |field: &&str| {
            field
                .bytes()
                .all(|each| matches!(each, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_zero = |field: &str| field.bytes().all(|each| each == b'0');
        let fields: Vec<&str> = text.split('-').collect();
        let known = fields.iter().take(LENGTHS.len());
        let is_well_formed =
            known.clone().map(|field| field.len()).eq(LENGTHS) && known.clone().all(is_hex);
        match fields.as_slice() {
            [version, trace, parent, flags, further @ ..]
                if is_well_formed
                    && *version != "ff"
                    && (*version != "00" || further.is_empty())
                    && !is_zero(trace)
                    && !is_zero(parent) =>
            {
                Ok(Self(format!("00-{trace}-{parent}-{flags}")))
            }
            _ => Err(InvalidId {
                kind: "trace context",
                rule: "00-<32 hex digits>-<16 hex digits>-<2 hex digits>, in lower case, neither id all zeros",
                text: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "b7ad6b7169203331";

    #[test]
    fn a_trace_context_is_read_as_the_recommendation_says() {
        let known = format!("00-{TRACE}-{PARENT}-01");
        let rows = [
            (known.clone(), true),
            (format!("00-{TRACE}-{PARENT}-00"), true),
            (format!("01-{TRACE}-{PARENT}-01"), true),
            (format!("01-{TRACE}-{PARENT}-01-more"), true),
            (format!("00-{TRACE}-{PARENT}-01-more"), false),
            (format!("ff-{TRACE}-{PARENT}-01"), false),
            (format!("00-{}-{PARENT}-01", "0".repeat(32)), false),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), false),
            (known.to_ascii_uppercase(), false),
            (known.replace('a', "g"), false),
            (known.replace('-', "_"), false),
            (known[1..].to_owned(), false),
            (known[..54].to_owned(), false),
            (format!(" {known}"), false),
            (known.replace('a', "ä"), false),
            (String::new(), false),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<TraceParent>().is_ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_later_version_is_passed_on_in_the_known_one() {
        let later: TraceParent = format!("cc-{TRACE}-{PARENT}-01-more").parse().unwrap();
        assert_eq!(later.as_str(), format!("00-{TRACE}-{PARENT}-01"));
        assert_eq!(later.to_string().parse(), Ok(later));
    }
}
