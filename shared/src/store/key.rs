//! Keys: where an object lies in the store.

use std::fmt;

/// The place of an object in the store: `/`-separated segments, none of them empty, `.` or `..`;
/// the empty key is the store itself. Any UTF-8 but NUL may stand in a segment.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StoreKey(String);

impl StoreKey {
    /// The key as text, without a leading or trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
