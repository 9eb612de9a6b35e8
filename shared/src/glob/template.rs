//! Templates: `join_on` and `group_by` texts with references to captures.

use std::fmt;

use super::Captures;

/// A `join_on` or `group_by` text: `$1` and `${1}` refer to captures, `$0` to the whole path, `$$` is a dollar sign.
/// All other text is literal; a reference to a missing capture is empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Capture(usize),
}

impl Template {
    /// Parses a template; every text is valid.
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, reference) = rest.split_at(dollar);
            add_text(&mut parts, before);
            let (capture, length) = parse_reference(&reference[1..]);
            match capture {
                Some(number) => parts.push(Part::Capture(number)),
                None => add_text(&mut parts, "$"),
            }
            rest = &reference[1 + length..];
        }
        add_text(&mut parts, rest);
        Self {
            text: text.to_owned(),
            parts,
        }
    }

    /// The text with the captures in place.
    pub fn expand(&self, captures: &Captures<'_>) -> String {
        let mut expanded = String::new();
        for part in &self.parts {
            expanded.push_str(match part {
                Part::Text(text) => text,
                Part::Capture(number) => captures.get(*number),
            });
        }
        expanded
    }
}

impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// The capture referenced by the text after a `$`, or `None` for a literal dollar sign; and the length of the
/// reference.
fn parse_reference(after: &str) -> (Option<usize>, usize) {
    if after.starts_with('$') {
        return (None, 1);
    }
    let braced = after
        .strip_prefix('{')
        .and_then(|inner| inner.split_once('}'));
    let (digits, around) = match braced {
        Some((digits, _)) => (digits, 2),
        None => (
            &after[..after.bytes().take_while(u8::is_ascii_digit).count()],
            0,
        ),
    };
    match capture_number(digits) {
        Some(number) => (Some(number), digits.len() + around),
        None => (None, 0),
    }
}

/// A number without leading zeros. A number too large for any glob refers to a missing capture.
fn capture_number(digits: &str) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = digits == "0" || !digits.starts_with('0');
    (is_number && is_plain).then(|| digits.parse().unwrap_or(usize::MAX))
}

fn add_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}
