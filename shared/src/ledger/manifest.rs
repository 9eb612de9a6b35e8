//! The manifest: every datum of a job, in segments, each written before its datums are published.

use serde::{Deserialize, Serialize};

use super::{DoneRef, Ledger};
use crate::datum::Datum;
use crate::id::JobId;
use crate::store::StoreError;

/// A run of consecutive datums of a job.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Segment {
    /// Index of its first datum; names the segment.
    pub first: u64,
    /// How many datums.
    pub count: u64,
}

/// A datum in the manifest.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ManifestEntry {
    /// The datum.
    #[serde(flatten)]
    pub datum: Datum,
    /// Where this work was done before, if it is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<DoneRef>,
}

impl Ledger {
    /// Writes a segment; `entries` are its datums in order, not empty.
    pub async fn write_manifest(&self, job: JobId, entries: &[ManifestEntry]) -> Result<Segment, StoreError> {
        todo!("{job} {entries:?}")
    }

    /// The first indexes of all segments written, ascending.
    pub async fn segments(&self, job: JobId) -> Result<Vec<u64>, StoreError> {
        todo!("{job}")
    }

    /// The datums of the segment that begins with `first`.
    pub async fn manifest(&self, job: JobId, first: u64) -> Result<Vec<ManifestEntry>, StoreError> {
        todo!("{job} {first}")
    }
}
