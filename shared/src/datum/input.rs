//! A datum and its inputs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::id::DatumId;

/// The unit of work: one run of the user's command over one set of inputs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Datum {
    /// Place in the job, counted from 0 in expansion order.
    pub index: u64,
    /// Identity of the work: equal work has equal ids, in every job.
    #[serde(rename = "datum")]
    pub id: DatumId,
    /// The inputs, in the order of the spec.
    pub inputs: Vec<DatumInput>,
}

/// An input of a datum: a file, a directory with its whole subtree, or a whole repo.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DatumInput {
    /// The directory below `/pfs`.
    pub name: String,
    /// The folder of the store.
    pub repo: String,
    /// The path in the repo: begins with `/`, no trailing slash; the whole repo is `/`.
    pub path: String,
    /// File or directory.
    pub kind: InputKind,
    /// Bytes of the file, or of all files below the directory.
    pub size: u64,
    /// The value of the leaf's `join_on`; absent when the leaf has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_on: Option<String>,
    /// The value of the leaf's `group_by`; absent when the leaf has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// Fingerprint of the content.
    pub tag: ContentTag,
    /// The pfs leaf of the spec that produced the input.
    pub leaf: u16,
    /// Hash over what the listing told of the files of a local folder: inodes, times, sizes. As long as it is equal, the
    /// content is the one of the tag. Absent for buckets, whose tags are made of the listing, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// File or directory.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// A single file.
    File,
    /// A directory with its whole subtree.
    Dir,
}

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
