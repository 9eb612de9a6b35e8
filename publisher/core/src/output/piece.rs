//! The pieces that output files are made of, and the files they make.

use std::io;

use drover_shared::id::JobId;
use drover_shared::store::{StoreKey, layout};
use serde::{Deserialize, Serialize};

/// One file of one datum, staged in the store. Sorts by path, then in datum order.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Piece {
    /// Path in the output folder, beginning with `/`.
    pub(super) path: String,
    /// Where it lies.
    pub(super) source: Source,
}

/// Where a piece lies. Sorts in datum order.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Source {
    /// The datum's place in the job that publishes.
    pub(super) index: u64,
    /// Which of the datum's files it is.
    pub(super) n: usize,
    /// The job that did the work.
    pub(super) job: JobId,
    /// The prefix it was staged under.
    pub(super) staged: String,
    /// Its size in bytes, as it was when the work was committed.
    pub(super) size: u64,
}

impl Source {
    /// Its key in the store.
    pub(super) fn key(&self) -> StoreKey {
        layout::staged_file(self.job, &self.staged, self.n)
    }
}

/// A file that the output folder should hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wanted {
    /// Its path, beginning with `/`.
    pub(super) path: String,
    /// The pieces it is made of, one after the other; not empty.
    pub(super) sources: Vec<Source>,
}

impl Wanted {
    /// What it is made of, in short: equal for equal pieces in equal order.
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
    pieces: impl Iterator<Item = io::Result<Piece>>,
) -> impl Iterator<Item = io::Result<Wanted>> {
    let mut pieces = pieces.peekable();
    std::iter::from_fn(move || {
        let first = match pieces.next()? {
            Ok(piece) => piece,
            Err(error) => return Some(Err(error)),
        };
        let mut wanted = Wanted {
            path: first.path,
            sources: vec![first.source],
        };
        while let Some(Ok(next)) =
            pieces.next_if(|next| next.as_ref().is_ok_and(|next| next.path == wanted.path))
        {
            wanted.sources.push(next.source);
        }
        Some(Ok(wanted))
    })
}
