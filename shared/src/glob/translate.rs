//! Translates a parsed glob into an anchored regular expression.

use std::fmt::Write;

use super::syntax::{Class, Member, Quantity, Sequence, Token};

/// The regular expression for `tokens`. The match is leftmost-first, as everywhere in regexes.
pub(super) fn regex(tokens: &[Token], goes_on_after_negation: bool) -> String {
    let mut translation = Translation {
        regex: String::from(r"(?s)\A"),
        goes_on_after_negation,
    };
    translation.sequence(tokens);
    translation.regex.push_str(r"\z");
    translation.regex
}

struct Translation {
    regex: String,
    goes_on_after_negation: bool,
}

impl Translation {
    fn sequence(&mut self, tokens: &[Token]) {
        for token in tokens {
            match token {
                Token::Literal(character) => self.character(*character),
                Token::AnyCharacter => self.regex.push_str("[^/]"),
                Token::AnyName => self.regex.push_str("[^/]*"),
                Token::AnyPath => self.regex.push_str(".*"),
                Token::Class(class) => self.class(class),
                Token::Braces(alternatives) => self.one_of(alternatives, ""),
                Token::Group(quantity, alternatives) => self.group(*quantity, alternatives),
            }
        }
    }

    fn group(&mut self, quantity: Quantity, alternatives: &[Sequence]) {
        self.regex.push('(');
        if quantity == Quantity::Never {
            self.regex.push_str("(?!");
            self.one_of(
                alternatives,
                if self.goes_on_after_negation {
                    ""
                } else {
                    r"\z"
                },
            );
            self.regex.push_str(")[^/]*");
        } else {
            self.one_of(alternatives, "");
        }
        self.regex.push_str(match quantity {
            Quantity::Once | Quantity::Never => "",
            Quantity::AtMostOnce => "?",
            Quantity::AnyNumber => "*",
            Quantity::AtLeastOnce => "+",
        });
        self.regex.push(')');
    }

    /// An alternation; each alternative is followed by `ending`.
    fn one_of(&mut self, alternatives: &[Sequence], ending: &str) {
        self.regex.push_str("(?:");
        for (number, alternative) in alternatives.iter().enumerate() {
            if number > 0 {
                self.regex.push('|');
            }
            self.sequence(alternative);
            self.regex.push_str(ending);
        }
        self.regex.push(')');
    }

    fn class(&mut self, class: &Class) {
        self.regex.push_str(if class.negated { "[^" } else { "[" });
        for member in &class.members {
            match member {
                Member::Range(first, last) => {
                    self.character(*first);
                    self.regex.push('-');
                    self.character(*last);
                }
                Member::Named(name) => self.regex.push_str(name),
            }
        }
        self.regex.push(']');
    }

    /// A literal character: escaped by code point unless regexes give the character no meaning.
    fn character(&mut self, character: char) {
        if character.is_alphanumeric() || character == '/' {
            self.regex.push(character);
        } else {
            let written = write!(self.regex, r"\x{{{:X}}}", u32::from(character));
            debug_assert!(written.is_ok(), "a String takes every text");
        }
    }
}
