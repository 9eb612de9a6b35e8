//! The manifest: every datum of a job, in segments. A segment is written before its datums are published.
//!
//! The manifest is a log that only grows. The key of a segment is the index of its first datum, and a segment is
//! created only if the key is free. So of several leaders exactly one writes the segment that begins at an index, and
//! the manifest is a sequence without overlap, whatever the leaders know of each other. The end of the manifest is the
//! last element of the log, created in the same way at the index after the last datum. Datums that run again in the
//! same job, because their output was lost, are appended later: their first segment replaces the end, by a conditional
//! put, and the manifest stays complete.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::datum::{Datum, IndexRanges};
use crate::id::JobId;
use crate::ledger::checksum::verified;
use crate::ledger::records::{advice, damaged, to_json, to_json_lines};
use crate::ledger::{DoneRef, Ledger, Segment};
use crate::store::{StoreError, StoreKey, layout};

/// A datum in the manifest.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ManifestEntry {
    /// The datum.
    #[serde(flatten)]
    pub datum: Datum,
    /// Earlier completion of the same work, if the datum is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<DoneRef>,
    /// The replaced earlier entry, whose stored output was lost.
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

/// The last element of the log.
#[derive(Serialize)]
struct ManifestEnd {
    end: bool,
}

/// The bytes of [`ManifestEnd`].
const END: &[u8] = br#"{"end":true}"#;

/// A file of the log, as its name tells. An older Drover wrote the number of datums into the name.
#[derive(Clone, Copy, Debug)]
struct ElementName {
    first: u64,
    count: Option<u64>,
}

impl ElementName {
    fn parse(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".jsonl")?;
        let (first, count) = match name.split_once('-') {
            Some((first, count)) => (first, Some(count.parse().ok()?)),
            None => (name, None),
        };
        let first = first.parse().ok()?;
        Some(Self { first, count })
    }
}

/// Content of the last element of the log.
struct LastElement {
    /// Number of datums; 0 at the end.
    count: u64,
    is_complete: bool,
}

impl LastElement {
    /// More datums than a segment can have.
    const DAMAGED: Self = Self {
        count: layout::SHARD,
        is_complete: false,
    };
}

/// True for datums that run again in the same job.
fn is_redo(entries: &[ManifestEntry]) -> bool {
    entries.first().is_some_and(|entry| entry.redo.is_some())
}

/// The manifest as far as it was written.
struct ManifestLog {
    segments: Vec<Segment>,
    is_complete: bool,
}

impl Ledger {
    /// Appends a segment. `entries` are the datums of the segment in order, and not empty.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if another leader has written what follows the previous datum.
    pub async fn write_manifest(
        &self,
        job: JobId,
        entries: &[ManifestEntry],
    ) -> Result<Segment, StoreError> {
        let segment = Segment {
            first: entries.first().map_or(0, |entry| entry.datum.index),
            count: entries.len() as u64,
        };
        let key = layout::manifest(job, segment.first);
        let bytes = to_json_lines(&key, entries)?;
        match self.append(&key, bytes.clone()).await {
            Err(StoreError::Exists { .. }) if is_redo(entries) => {
                self.replace_end(&key, bytes).await?;
            }
            appended => appended?,
        }
        Ok(segment)
    }

    /// Replaces the end of the manifest by datums that run again.
    async fn replace_end(&self, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
        let (end, version) = self.store.get_versioned(key).await?;
        let is_end = verified(key, &end).is_ok_and(|record| *record == *END);
        let replaced = if is_end {
            self.store.replace(key, bytes, &version).await
        } else {
            Err(StoreError::Changed { key: key.clone() })
        };
        match replaced {
            Err(StoreError::Changed { key }) => Err(StoreError::Exists { key }),
            replaced => replaced,
        }
    }

    /// Ends the manifest, which has `total` datums.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if another leader has found more datums.
    pub async fn complete_manifest(&self, job: JobId, total: u64) -> Result<(), StoreError> {
        let key = layout::manifest(job, total);
        self.append(&key, to_json(&key, &ManifestEnd { end: true })?)
            .await
    }

    /// Creates an element of the log. An equal element is our own, whose answer was lost.
    async fn append(&self, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
        match self.store.create(key, bytes.clone()).await {
            Err(StoreError::Exists { .. }) if self.store.get(key).await? == bytes => Ok(()),
            created => created,
        }
    }

    /// True if the manifest holds all datums of the job; false during expansion and after an interrupted one.
    pub async fn is_manifest_complete(&self, job: JobId) -> Result<bool, StoreError> {
        Ok(self.manifest_log(job).await?.is_complete)
    }

    /// All segments written, ascending.
    pub async fn segments(&self, job: JobId) -> Result<Vec<Segment>, StoreError> {
        Ok(self.manifest_log(job).await?.segments)
    }

    /// The segment with the datum; none if the datum is unknown.
    pub(in crate::ledger) async fn segment_of(
        &self,
        job: JobId,
        index: u64,
    ) -> Result<Option<Segment>, StoreError> {
        let names = self.element_names(job).await?;
        let (until, after) = names.split_at(names.partition_point(|name| name.first <= index));
        let segment = if let (Some(name), Some(next)) = (until.last(), after.first()) {
            Some(Segment {
                first: name.first,
                count: name.count.unwrap_or(next.first - name.first),
            })
        } else {
            // The last known element, or one that the listing does not show yet.
            let segments = self.segments(job).await?;
            segments.into_iter().find(|known| known.contains(index))
        };
        Ok(segment.filter(|segment| segment.contains(index)))
    }

    /// The names that the listing of the log shows, by their first index.
    async fn element_names(&self, job: JobId) -> Result<Vec<ElementName>, StoreError> {
        let names = self.store.names(&layout::manifests(job)).await?;
        let names = names.iter().filter_map(|name| ElementName::parse(name));
        let mut names: Vec<_> = names.collect();
        names.sort_unstable_by_key(|name| name.first);
        Ok(names)
    }

    /// Reads the names of the log, the last element, and elements beyond the listing.
    async fn manifest_log(&self, job: JobId) -> Result<ManifestLog, StoreError> {
        let names = self.element_names(job).await?;
        let mut log = ManifestLog {
            segments: Vec::with_capacity(names.len()),
            is_complete: false,
        };
        for (at, name) in names.iter().enumerate() {
            let count = match (name.count, names.get(at + 1)) {
                (Some(count), _) => count,
                (None, Some(next)) => next.first - name.first,
                (None, None) => {
                    let last = self.last_element(job, name.first).await?;
                    log.is_complete = last.is_complete;
                    last.count
                }
            };
            if count == 0 {
                return Ok(log); // the end
            }
            log.segments.push(Segment {
                first: name.first,
                count,
            });
        }
        if names.last().is_none_or(|last| last.count.is_none()) {
            self.read_beyond(job, &mut log).await?;
        }
        // An older Drover marked the end with a file of its own.
        if !log.is_complete && names.last().is_none_or(|last| last.count.is_some()) {
            log.is_complete = !is_missing(self.store.entry(&layout::expanded(job)).await)?;
        }
        Ok(log)
    }

    /// Adds the elements beyond the listing, by their keys: on a network file system, listings lag behind.
    async fn read_beyond(&self, job: JobId, log: &mut ManifestLog) -> Result<(), StoreError> {
        loop {
            let first = log
                .segments
                .last()
                .map_or(0, |segment| segment.indexes().end);
            let element = match self.last_element(job, first).await {
                Err(StoreError::Missing { .. }) => return Ok(()),
                element => element?,
            };
            log.is_complete = element.is_complete;
            if element.count == 0 {
                return Ok(());
            }
            let count = element.count;
            log.segments.push(Segment { first, count });
        }
    }

    /// Reads the last element of the log.
    async fn last_element(&self, job: JobId, first: u64) -> Result<LastElement, StoreError> {
        let key = layout::manifest(job, first);
        let bytes = match self.record_bytes(&key, advice::DETAIL).await {
            // Readers of the segment get the error; its verdicts count all the same.
            Err(StoreError::Corrupt { .. }) => return Ok(LastElement::DAMAGED),
            bytes => bytes?,
        };
        if *bytes == *END {
            return Ok(LastElement {
                count: 0,
                is_complete: true,
            });
        }
        let mut lines = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let begin = lines.next().unwrap_or_default();
        let Ok(entry) = serde_json::from_slice::<ManifestEntry>(begin) else {
            return Ok(LastElement::DAMAGED);
        };
        Ok(LastElement {
            count: 1 + lines.count() as u64,
            is_complete: is_redo(&[entry]),
        })
    }

    /// The unskipped datums with the given indexes in the segment that begins at `first`. [`StoreError::Missing`] if
    /// the segment does not exist.
    pub async fn datums(
        &self,
        job: JobId,
        first: u64,
        indexes: std::ops::Range<u64>,
    ) -> Result<Vec<Datum>, StoreError> {
        // No listing: on a network file system, listings lag behind.
        let entries = match self.segment_at(job, first).await {
            Err(StoreError::Missing { key }) => {
                let known = self.segments(job).await?;
                let Some(segment) = known.into_iter().find(|known| known.first == first) else {
                    return Err(StoreError::Missing { key });
                };
                self.manifest(job, segment).await?
            }
            entries => entries?,
        };
        let todo = entries.into_iter().filter(|entry| entry.done.is_none());
        Ok(todo
            .map(|entry| entry.datum)
            .filter(|datum| indexes.contains(&datum.index))
            .collect())
    }

    /// The unskipped datums with the given indexes, in whatever segments. [`StoreError::Missing`] if the manifest does not
    /// have one of the indexes.
    pub async fn datums_at(
        &self,
        job: JobId,
        indexes: &IndexRanges,
    ) -> Result<Vec<Datum>, StoreError> {
        let (mut datums, mut missing) = (Vec::new(), indexes.clone());
        for segment in self.segments(job).await? {
            let known = IndexRanges::from(vec![(segment.first, segment.count)]);
            if known.intersection(&missing).is_empty() {
                continue;
            }
            missing = missing.difference(&known);
            let entries = self.manifest(job, segment).await?;
            let todo = entries.into_iter().filter(|entry| entry.done.is_none());
            let todo = todo.map(|entry| entry.datum);
            datums.extend(todo.filter(|datum| indexes.contains(datum.index)));
        }
        match missing.first() {
            None => Ok(datums),
            Some(first) => Err(StoreError::Missing {
                key: layout::manifest(job, first),
            }),
        }
    }

    /// The datums of a segment.
    pub async fn manifest(
        &self,
        job: JobId,
        segment: Segment,
    ) -> Result<Vec<ManifestEntry>, StoreError> {
        let entries = match self.segment_at(job, segment.first).await {
            Err(StoreError::Missing { .. }) => {
                let key = layout::old_manifest(job, &segment.to_string());
                self.read_lines(&key, advice::DETAIL).await?
            }
            entries => entries?,
        };
        let indexes = entries.iter().map(|entry| entry.datum.index);
        if indexes.eq(segment.indexes()) {
            Ok(entries)
        } else {
            let problem = format!("it does not hold the datums of segment {segment}");
            Err(damaged(
                &layout::manifest(job, segment.first),
                advice::DETAIL,
                problem,
            ))
        }
    }

    /// The datums of the segment that begins at `first`.
    async fn segment_at(&self, job: JobId, first: u64) -> Result<Vec<ManifestEntry>, StoreError> {
        self.read_lines(&layout::manifest(job, first), advice::DETAIL)
            .await
    }
}

fn is_missing<T>(looked: Result<T, StoreError>) -> Result<bool, StoreError> {
    match looked {
        Ok(_) => Ok(false),
        Err(StoreError::Missing { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}
