//! A datum and its inputs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::DatumId;
use crate::store::ContentTag;
use crate::units::total_bytes;

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

impl Datum {
    /// Bytes of all inputs.
    pub fn input_bytes(&self) -> u64 {
        total_bytes(self.inputs.iter().map(|input| input.size))
    }
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
