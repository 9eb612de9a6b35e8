//! The manifest: every datum of a job, in segments. A segment is written before its datums are published.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::id::JobId;
use crate::ledger::records::{advice, to_json_lines};
use crate::ledger::{DoneRef, Ledger, Segment};
use crate::store::{StoreError, layout};

/// A datum in the manifest.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ManifestEntry {
    /// The datum.
    #[serde(flatten)]
    pub datum: Datum,
    /// Earlier completion of the same work, if the datum is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<DoneRef>,
    /// The earlier entry whose stored output was lost, for an entry that replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redo: Option<Redo>,
}

/// A reference to an earlier entry of the same manifest whose stored output was lost.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Redo {
    /// Index of the entry as expanded from the inputs.
    pub index: u64,
    /// True if the replaced entry was skipped.
    pub skipped: bool,
}

impl ManifestEntry {
    /// Index of the datum as expanded from the inputs, which is the place of its output.
    pub fn place(&self) -> u64 {
        self.redo.map_or(self.datum.index, |redo| redo.index)
    }
}

impl Ledger {
    /// Writes a segment. `entries` are the datums of the segment in order, and not empty.
    pub async fn write_manifest(
        &self,
        job: JobId,
        entries: &[ManifestEntry],
    ) -> Result<Segment, StoreError> {
        let segment = Segment {
            first: entries.first().map_or(0, |entry| entry.datum.index),
            count: entries.len() as u64,
        };
        let key = layout::manifest(job, &segment.to_string());
        self.store.put(&key, to_json_lines(&key, entries)?).await?;
        Ok(segment)
    }

    /// Marks the manifest as complete.
    pub async fn complete_manifest(&self, job: JobId) -> Result<(), StoreError> {
        self.store.put(&layout::expanded(job), Bytes::new()).await
    }

    /// True if the manifest holds all datums of the job; false during expansion and after an interrupted one.
    pub async fn is_manifest_complete(&self, job: JobId) -> Result<bool, StoreError> {
        match self.store.entry(&layout::expanded(job)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All segments written, ascending.
    pub async fn segments(&self, job: JobId) -> Result<Vec<Segment>, StoreError> {
        let names = self.store.names(&layout::manifests(job)).await?;
        Ok(Segment::among(&names))
    }

    /// The unskipped datums with the given indexes in the segment that begins at `first`. [`StoreError::Missing`] if
    /// the segment does not exist.
    pub async fn datums(
        &self,
        job: JobId,
        first: u64,
        wanted: std::ops::Range<u64>,
    ) -> Result<Vec<Datum>, StoreError> {
        let known = self.segments(job).await?;
        let Some(segment) = known.into_iter().find(|known| known.first == first) else {
            return Err(StoreError::Missing {
                key: layout::manifest(job, &first.to_string()),
            });
        };
        let entries = self.manifest(job, segment).await?;
        let todo = entries.into_iter().filter(|entry| entry.done.is_none());
        Ok(todo
            .map(|entry| entry.datum)
            .filter(|datum| wanted.contains(&datum.index))
            .collect())
    }

    /// The datums of a segment.
    pub async fn manifest(
        &self,
        job: JobId,
        segment: Segment,
    ) -> Result<Vec<ManifestEntry>, StoreError> {
        self.read_lines(&layout::manifest(job, &segment.to_string()), advice::DETAIL)
            .await
    }
}
