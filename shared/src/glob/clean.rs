//! Normalizes the path of a glob: one leading slash, no trailing slash, no `.` and `..`.

use super::syntax::{Sequence, Token};

/// The cleaned glob; the root is empty. Only slashes outside groups and braces part segments.
pub(super) fn clean(tokens: &[Token]) -> Sequence {
    const DOT: Token = Token::Literal('.');
    let mut segments: Vec<&[Token]> = Vec::new();
    for segment in tokens.split(|token| *token == Token::Literal('/')) {
        match segment {
            [] | [DOT] => {}
            [DOT, DOT] => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let mut cleaned = Sequence::new();
    for segment in segments {
        cleaned.push(Token::Literal('/'));
        cleaned.extend_from_slice(segment);
    }
    cleaned
}
