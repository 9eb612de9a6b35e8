//! The part of a tree that a glob can match, so a walk can skip the rest.

use super::syntax::{Class, Member, Quantity, Sequence, Token};

/// Bounds of the paths that a glob can match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct MatchBounds {
    /// The common prefix of all matches.
    pub(super) prefix: String,
    /// No match has more slashes; `None` without limit.
    pub(super) slashes: Option<usize>,
}

impl MatchBounds {
    /// The bounds of a cleaned glob.
    pub(super) fn of(tokens: &[Token]) -> Self {
        let prefix = tokens.iter().map_while(|token| match token {
            Token::Literal(character) => Some(*character),
            _ => None,
        });
        Self {
            prefix: prefix.collect(),
            slashes: slashes(tokens),
        }
    }

    /// The deepest directory (`""` for the root) that contains all matches.
    pub(super) fn directory(&self) -> &str {
        self.prefix
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory)
    }

    /// True if a path below the directory `dir` (`""` for the root) may match.
    pub(super) fn below(&self, dir: &str) -> bool {
        let deep_enough = self
            .slashes
            .is_none_or(|most| dir.matches('/').count() < most);
        let on_the_way = match self.prefix.strip_prefix(dir) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => dir.starts_with(&self.prefix),
        };
        deep_enough && on_the_way
    }
}

/// The largest number of slashes in a match.
fn slashes(tokens: &[Token]) -> Option<usize> {
    tokens.iter().map(slashes_of).sum()
}

fn slashes_of(token: &Token) -> Option<usize> {
    match token {
        Token::AnyPath => None,
        Token::AnyCharacter | Token::AnyName | Token::Group(Quantity::Never, _) => Some(0),
        Token::Literal(character) => Some(usize::from(*character == '/')),
        Token::Class(class) => Some(usize::from(may_be_slash(class))),
        Token::Braces(alternatives)
        | Token::Group(Quantity::Once | Quantity::AtMostOnce, alternatives) => most(alternatives),
        Token::Group(Quantity::AnyNumber | Quantity::AtLeastOnce, alternatives) => {
            most(alternatives).filter(|slashes| *slashes == 0)
        }
    }
}

fn most(alternatives: &[Sequence]) -> Option<usize> {
    let each: Option<Vec<usize>> = alternatives.iter().map(|each| slashes(each)).collect();
    each.map(|each| each.into_iter().max().unwrap_or(0))
}

fn may_be_slash(class: &Class) -> bool {
    class.negated
        || class.members.iter().any(|member| match member {
            Member::Range(first, last) => (*first..=*last).contains(&'/'),
            Member::Named(_) => true,
        })
}
