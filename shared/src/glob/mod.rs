//! Pachyderm's path globs, with captures. The grammar is in `docs/pipeline.md`.

use std::fmt;
use std::str::FromStr;

/// Why a text is not a glob: the offending glob, the position and what is wrong there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("glob {glob:?}, at character {position}: {problem}")]
pub struct InvalidGlob {
    /// The glob as written.
    pub glob: String,
    /// The offending character, counted from 1.
    pub position: usize,
    /// What is wrong there, and the way out.
    pub problem: String,
}

/// A compiled glob over whole paths, which begin with `/` and have no trailing slash; the root is
/// the empty path.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
}

impl FromStr for Glob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, InvalidGlob> {
        Ok(Self { text: text.to_owned() })
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// A `join_on` or `group_by` text, with `$1` and `${1}` standing for captures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template(String);

impl Template {
    /// The template for a text; every text is one.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}
