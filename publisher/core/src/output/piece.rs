//! Output pieces, and the files made of them.

use std::io;

use drover_shared::id::JobId;
use drover_shared::store::{StoreKey, layout};
use serde::{Deserialize, Serialize};

/// One file of one datum, staged in the store. Sorts by path, then in datum order.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct OutputPiece {
    /// Path in the output folder, beginning with `/`.
    pub(super) path: String,
    /// Staged file with the content.
    pub(super) source: StagedFile,
}

/// A staged file of a datum. Sorts in datum order.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct StagedFile {
    /// Place of the datum in the publishing job.
    pub(super) index: u64,
    /// Number of the file among the datum's outputs.
    pub(super) n: usize,
    /// The job that ran the datum.
    pub(super) job: JobId,
    /// Prefix of the staged files of the attempt.
    pub(super) staged: String,
    /// Size in bytes at commit.
    pub(super) size: u64,
    /// Hash of the content at commit; none in records of older versions.
    pub(super) hash: Option<String>,
    /// Version of the staged file at commit, in a folder.
    pub(super) version: Option<String>,
}

impl StagedFile {
    /// Key in the store.
    pub(super) fn key(&self) -> StoreKey {
        layout::staged_file(self.job, &self.staged, self.n)
    }
}

/// A file desired in the output folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct DesiredFile {
    /// Path, beginning with `/`.
    pub(super) path: String,
    /// The pieces in order of concatenation; not empty.
    pub(super) sources: Vec<StagedFile>,
}

impl DesiredFile {
    /// Hash over the identities of the pieces in order.
    pub(super) fn made_of(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for source in &self.sources {
            hasher.update(&source.job.to_bytes());
            hasher.update(&source.n.to_le_bytes());
            hasher.update(&source.staged.len().to_le_bytes());
            hasher.update(source.staged.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Groups sorted pieces into the files they make.
pub(super) fn files(
    pieces: impl Iterator<Item = io::Result<OutputPiece>>,
) -> impl Iterator<Item = io::Result<DesiredFile>> {
    let mut pieces = pieces.peekable();
    std::iter::from_fn(move || {
        let first = match pieces.next()? {
            Ok(piece) => piece,
            Err(error) => return Some(Err(error)),
        };
        let mut desired = DesiredFile {
            path: first.path,
            sources: vec![first.source],
        };
        while let Some(Ok(next)) =
            pieces.next_if(|next| next.as_ref().is_ok_and(|next| next.path == desired.path))
        {
            desired.sources.push(next.source);
        }
        Some(Ok(desired))
    })
}
