//! Keys: where an object lies in the store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::StoreError;

/// Location of an object in the store: `/`-separated segments, none of them empty, `.` or `..`. The empty key is the
/// store itself. A segment may contain any UTF-8 except NUL.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String")]
pub struct StoreKey(String);

impl StoreKey {
    /// The store itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Parses a key; a leading slash is allowed.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let text = text.strip_prefix('/').unwrap_or(text);
        match problem_with(text) {
            _ if text.is_empty() => Ok(Self::root()),
            None => Ok(Self(text.to_owned())),
            Some(problem) => Err(StoreError::Name {
                name: text.to_owned(),
                problem,
            }),
        }
    }

    /// The key of `path` below the key. A leading slash is allowed; `/` alone is the key itself.
    pub fn join(&self, path: &str) -> Result<Self, StoreError> {
        let below = Self::parse(path)?;
        Ok(self.with(below.as_str()))
    }

    /// The key of `path` below the key, for a `path` made of ids and constants.
    pub(super) fn with(&self, path: &str) -> Self {
        match (self.is_root(), path.is_empty()) {
            (_, true) => self.clone(),
            (true, _) => Self(path.to_owned()),
            (false, _) => Self(format!("{}/{path}", self.0)),
        }
    }

    /// The key as text, without a leading or trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for the store itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last segment; empty for the store itself.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The first segment: a repo, or `.drover`; empty for the store itself.
    pub fn top(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

/// Reason why `text` is not a key.
fn problem_with(text: &str) -> Option<&'static str> {
    text.split('/').find_map(|segment| match segment {
        "" => Some("it has an empty segment (`//`, or a slash at the end)"),
        "." | ".." => Some("`.` and `..` are not allowed in it"),
        _ if segment.contains('\0') => Some("it has a NUL character"),
        _ => None,
    })
}

impl FromStr for StoreKey {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for StoreKey {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self, StoreError> {
        Self::parse(&text)
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_root() { "the store" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_that_could_leave_the_store_is_refused() {
        for text in ["..", ".", "a/../b", "a//b", "//a", "a/", "a/./b", "a\0b"] {
            assert!(StoreKey::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn keys_join_with_and_without_a_leading_slash() {
        let rows = [
            ("", "/a", "a"),
            ("a", "/b/c", "a/b/c"),
            ("a", "b", "a/b"),
            ("a", "/", "a"),
            ("", "", ""),
        ];
        for (base, path, joined) in rows {
            let key = StoreKey::parse(base)
                .and_then(|base| base.join(path))
                .unwrap();
            assert_eq!(key.as_str(), joined, "{base:?} + {path:?}");
        }
    }

    proptest! {
        #[test]
        fn any_utf8_but_nul_may_stand_in_a_segment(name in "[^/\0]{1,20}") {
            prop_assume!(name != "." && name != "..");
            let key = StoreKey::root().join(&name).unwrap();
            prop_assert_eq!(key.name(), name);
        }
    }
}
