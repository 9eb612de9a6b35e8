//! Fingerprints of content.

use serde_with::{DeserializeFromStr, SerializeDisplay};

/// Fingerprint of an input's content: equal tags mean equal bytes, as far as the store can tell.
///
/// A BLAKE3 hash for local files and for directories, the listing's `e_tag` and size for buckets.
///
/// The command receives the tag in `<input>_COMMIT`. A fingerprint of the whole repo would not do: the last file may be
/// listed long after the first datum has run, and the value would differ for datums that are skipped because their own
/// inputs are unchanged.
#[derive(
    Clone, Debug, DeserializeFromStr, Eq, Hash, Ord, PartialEq, PartialOrd, SerializeDisplay,
)]
pub struct ContentTag(Box<str>);

impl ContentTag {
    /// The tag with the given text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text of the tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ContentTag {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::str::FromStr for ContentTag {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}
