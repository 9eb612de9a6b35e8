//! A compiled glob.

use std::fmt;
use std::str::FromStr;

use fancy_regex::Regex;

use super::bounds::MatchBounds;
use super::clean::clean;
use super::syntax::{self, InvalidGlob, Token};
use super::translate;

/// A compiled glob over whole paths, which begin with `/` and have no trailing slash.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    regex: Regex,
    bounds: MatchBounds,
}

/// A glob with a `!(…)` that needs too many steps for some path. All globs without a negation take time proportional to
/// the length of the path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "glob {glob:?} takes too long to compare with {path:?}; have fewer `*`, `*(…)` and `+(…)` beside its `!(…)`"
)]
pub struct GlobTooComplex {
    /// The glob as written.
    pub glob: String,
    /// The path.
    pub path: String,
}

/// The captures of a glob, numbered by opening parentheses from 1; 0 is the whole path.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Captures<'p>(Vec<&'p str>);

impl Captures<'_> {
    /// The capture with the number: empty if the group took no part in the match or does not exist.
    pub fn get(&self, number: usize) -> &str {
        self.0.get(number).copied().unwrap_or_default()
    }
}

impl Glob {
    /// True if the glob matches only the root.
    pub fn is_root(&self) -> bool {
        self.bounds.slashes == Some(0)
    }

    /// True if the glob matches `path`, which begins with `/`; `/` alone is the root.
    pub fn matches(&self, path: &str) -> Result<bool, GlobTooComplex> {
        self.regex
            .is_match(unrooted(path))
            .map_err(|_| self.too_complex(path))
    }

    /// The captures of `path`; `None` if the glob does not match.
    pub fn captures<'p>(&self, path: &'p str) -> Result<Option<Captures<'p>>, GlobTooComplex> {
        let found = self
            .regex
            .captures(unrooted(path))
            .map_err(|_| self.too_complex(path))?;
        Ok(found.map(|found| {
            let texts = found
                .iter()
                .map(|group| group.map_or("", |group| group.as_str()));
            Captures(texts.collect())
        }))
    }

    /// True if the glob may match a path below the directory `dir`; `/` is the root. May return false positives.
    pub fn may_match_below(&self, dir: &str) -> bool {
        self.bounds.below(unrooted(dir))
    }

    /// The deepest directory that contains all matches, taken from the text before the first wildcard; empty for the
    /// root.
    pub fn directory(&self) -> &str {
        self.bounds.directory()
    }

    fn too_complex(&self, path: &str) -> GlobTooComplex {
        GlobTooComplex {
            glob: self.text.clone(),
            path: path.to_owned(),
        }
    }
}

impl FromStr for Glob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, InvalidGlob> {
        let syntax = syntax::parse(text)?;
        let tokens = clean(&syntax.tokens);
        let regex =
            compile(&tokens, syntax.goes_on_after_negation).map_err(|problem| InvalidGlob {
                glob: text.to_owned(),
                position: 1,
                problem,
            })?;
        Ok(Self {
            text: text.to_owned(),
            regex,
            bounds: MatchBounds::of(&tokens),
        })
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// The regex of a glob. Fails only if the glob is too large.
fn compile(tokens: &[Token], goes_on_after_negation: bool) -> Result<Regex, String> {
    Regex::new(&translate::regex(tokens, goes_on_after_negation))
        .map_err(|_| "the glob is too large; split it over several inputs of a union".to_owned())
}

/// The path as globs spell it: the root is empty.
fn unrooted(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
