//! Parses the text of a glob.

/// A malformed glob: the text, the position and the problem.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("glob {glob:?}, at character {position}: {problem}")]
pub struct InvalidGlob {
    /// The glob as written.
    pub glob: String,
    /// The offending character, counted from 1.
    pub position: usize,
    /// The problem and the remedy.
    pub problem: String,
}

/// Groups and braces in each other: the regex engine takes about three times as many levels, and no stack is
/// exhausted.
const MAX_DEPTH: usize = 20;

/// An element of a glob.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Token {
    /// A literal character.
    Literal(char),
    /// `?`
    AnyCharacter,
    /// `*`
    AnyName,
    /// `**`
    AnyPath,
    /// `[…]`
    Class(Class),
    /// `{a,b}`
    Braces(Vec<Sequence>),
    /// `(a|b)` and similar groups, captured.
    Group(Quantity, Vec<Sequence>),
}

/// Consecutive elements.
pub(super) type Sequence = Vec<Token>;

/// `[a-z_]`, `[!a]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Class {
    /// True if the class matches the characters that are *not* listed.
    pub(super) negated: bool,
    /// The listed members.
    pub(super) members: Vec<Member>,
}

/// A member of a class.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Member {
    /// All characters from the first to the last; a single character is a range too.
    Range(char, char),
    /// `[:alpha:]` or `[:^alpha:]`, brackets included.
    Named(String),
}

/// How often a group matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Quantity {
    /// `(…)` or `@(…)`
    Once,
    /// `?(…)`
    AtMostOnce,
    /// `*(…)`
    AnyNumber,
    /// `+(…)`
    AtLeastOnce,
    /// `!(…)`
    Never,
}

/// A glob in parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Syntax {
    /// The whole glob.
    pub(super) tokens: Sequence,
    /// True if text, `*` or `**` comes after the first negation that closes.
    pub(super) goes_on_after_negation: bool,
}

/// Reads the text of a glob.
pub(super) fn parse(glob: &str) -> Result<Syntax, InvalidGlob> {
    let mut parser = Parser {
        glob,
        characters: glob.chars().collect(),
        at: 0,
        enclosing: Vec::new(),
        negation_closed: false,
        goes_on_after_negation: false,
    };
    let tokens = parser.sequence()?;
    Ok(Syntax {
        tokens,
        goes_on_after_negation: parser.goes_on_after_negation,
    })
}

/// An open group and the position of its opening character.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Enclosure {
    Braces { opened: usize },
    Group { opened: usize },
}

struct Parser<'g> {
    glob: &'g str,
    characters: Vec<char>,
    /// The next character.
    at: usize,
    enclosing: Vec<Enclosure>,
    negation_closed: bool,
    goes_on_after_negation: bool,
}

impl Parser<'_> {
    /// Reads up to the end of the glob, or up to what ends an alternative of the innermost enclosure.
    fn sequence(&mut self) -> Result<Sequence, InvalidGlob> {
        let mut tokens = Sequence::new();
        while let Some(next) = self.peek(0) {
            match (next, self.enclosing.last()) {
                (',' | '}', Some(Enclosure::Braces { .. }))
                | ('|' | ')', Some(Enclosure::Group { .. })) => {
                    return Ok(tokens);
                }
                (')' | '}' | ']', _) => {
                    return Err(self.invalid(self.at, format!("nothing is open that `{next}` could close; write `\\{next}` for the character itself")));
                }
                _ => tokens.push(self.token(next)?),
            }
        }
        match self.enclosing.last() {
            None => Ok(tokens),
            Some(&Enclosure::Braces { opened }) => Err(self.invalid(
                opened,
                "this `{` is never closed; write `\\{` for the character itself",
            )),
            Some(&Enclosure::Group { opened }) => Err(self.invalid(
                opened,
                "this `(` is never closed; write `\\(` for the character itself",
            )),
        }
    }

    fn token(&mut self, next: char) -> Result<Token, InvalidGlob> {
        if let Some(quantity) = self.group_ahead(next) {
            return self.group(quantity);
        }
        match next {
            '{' => self.braces(),
            '[' => self.class(),
            '\\' => self.escaped(),
            '?' => Ok(self.take(1, Token::AnyCharacter)),
            // `**(` is a star and a group, not two stars and a group.
            '*' if self.peek(1) == Some('*') && self.peek(2) != Some('(') => {
                Ok(self.take_text(2, Token::AnyPath))
            }
            '*' => Ok(self.take_text(1, Token::AnyName)),
            literal => Ok(self.take_text(1, Token::Literal(literal))),
        }
    }

    /// The kind of group that opens here, if any.
    fn group_ahead(&self, next: char) -> Option<Quantity> {
        if next == '(' {
            return Some(Quantity::Once);
        }
        if self.peek(1) != Some('(') {
            return None;
        }
        match next {
            '@' => Some(Quantity::Once),
            '?' => Some(Quantity::AtMostOnce),
            '*' => Some(Quantity::AnyNumber),
            '+' => Some(Quantity::AtLeastOnce),
            '!' => Some(Quantity::Never),
            _ => None,
        }
    }

    fn group(&mut self, quantity: Quantity) -> Result<Token, InvalidGlob> {
        if self
            .enclosing
            .iter()
            .any(|each| matches!(each, Enclosure::Braces { .. }))
        {
            return Err(self.invalid(
                self.at,
                "captures cannot stand inside `{…}`; write `(a|b)` instead of the braces",
            ));
        }
        if self.peek(0) != Some('(') {
            self.at += 1;
        }
        let alternatives = self.alternatives(Enclosure::Group { opened: self.at }, '|')?;
        self.negation_closed |= quantity == Quantity::Never;
        Ok(Token::Group(quantity, alternatives))
    }

    fn braces(&mut self) -> Result<Token, InvalidGlob> {
        self.alternatives(Enclosure::Braces { opened: self.at }, ',')
            .map(Token::Braces)
    }

    /// Reads a group; its opening character is next.
    fn alternatives(
        &mut self,
        enclosure: Enclosure,
        separator: char,
    ) -> Result<Vec<Sequence>, InvalidGlob> {
        if self.enclosing.len() == MAX_DEPTH {
            return Err(self.invalid(
                self.at,
                format!("more than {MAX_DEPTH} groups inside each other"),
            ));
        }
        self.enclosing.push(enclosure);
        let mut alternatives = Vec::new();
        loop {
            self.at += 1;
            alternatives.push(self.sequence()?);
            if self.peek(0) != Some(separator) {
                break;
            }
        }
        self.at += 1;
        self.enclosing.pop();
        Ok(alternatives)
    }

    fn escaped(&mut self) -> Result<Token, InvalidGlob> {
        match self.peek(1) {
            Some(literal) => Ok(self.take_text(2, Token::Literal(literal))),
            None => Err(self.invalid(
                self.at,
                "nothing follows this `\\`; write `\\\\` for the character itself",
            )),
        }
    }

    fn class(&mut self) -> Result<Token, InvalidGlob> {
        let opened = self.at;
        self.at += 1;
        let negated = matches!(self.peek(0), Some('!' | '^'));
        self.at += usize::from(negated);
        let mut members = Vec::new();
        while self.peek(0) != Some(']') {
            members.push(self.member(opened)?);
        }
        self.at += 1;
        if members.is_empty() {
            return Err(self.invalid(opened, "this class is empty; write `\\[` for the character itself, `[\\]]` for a class with `]`"));
        }
        Ok(Token::Class(Class { negated, members }))
    }

    fn member(&mut self, opened: usize) -> Result<Member, InvalidGlob> {
        if self.peek(0) == Some('[') && self.peek(1) == Some(':') {
            return self.named();
        }
        let begin = self.at;
        let first = self.class_character(opened)?;
        if self.peek(0) != Some('-') || self.peek(1) == Some(']') {
            return Ok(Member::Range(first, first));
        }
        self.at += 1;
        let last = self.class_character(opened)?;
        if first > last {
            return Err(self.invalid(
                begin,
                format!("the range `{first}-{last}` runs backwards; write `{last}-{first}`"),
            ));
        }
        Ok(Member::Range(first, last))
    }

    fn class_character(&mut self, opened: usize) -> Result<char, InvalidGlob> {
        let escaped = self.peek(0) == Some('\\');
        self.at += usize::from(escaped);
        let Some(character) = self.peek(0) else {
            return Err(self.invalid(
                opened,
                "this `[` is never closed; write `\\[` for the character itself",
            ));
        };
        self.at += 1;
        Ok(character)
    }

    fn named(&mut self) -> Result<Member, InvalidGlob> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        let rest: String = self.characters[self.at + 2..].iter().take(9).collect();
        let name = rest.split(":]").next().unwrap_or_default();
        if rest.len() == name.len() || !NAMES.contains(&name.trim_start_matches('^')) {
            return Err(self.invalid(
                self.at,
                format!(
                    "there is no such named class; there are {}",
                    NAMES.join(", ")
                ),
            ));
        }
        self.at += name.len() + 4;
        Ok(Member::Named(format!("[:{name}:]")))
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn take(&mut self, length: usize, token: Token) -> Token {
        self.at += length;
        token
    }

    /// Takes a token that counts as text after a negation.
    fn take_text(&mut self, length: usize, token: Token) -> Token {
        self.goes_on_after_negation |= self.negation_closed;
        self.take(length, token)
    }

    fn invalid(&self, at: usize, problem: impl Into<String>) -> InvalidGlob {
        InvalidGlob {
            glob: self.glob.to_owned(),
            position: at + 1,
            problem: problem.into(),
        }
    }
}
