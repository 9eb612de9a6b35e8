//! Appends datums to the manifest that run again in the same job, because their stored output was lost.

use std::collections::{BTreeMap, BTreeSet};

use drover_shared::datum::Datum;
use drover_shared::id::JobId;
use drover_shared::ledger::{Ledger, ManifestEntry, Redo, Segment};
use drover_shared::store::StoreError;

/// Datums per segment.
const SEGMENT: usize = 1024;

/// New entries of a manifest, by segment.
pub(crate) type Redone = Vec<(Segment, Vec<ManifestEntry>)>;

/// Appends an entry for each datum of `lost`, which holds places. `redone` names the newest entry of a place, if it is
/// not the expanded one; `first` is the index after the last entry.
pub(crate) async fn append(
    ledger: &Ledger,
    job: JobId,
    lost: &[u64],
    redone: &BTreeMap<u64, u64>,
    first: u64,
) -> Result<Redone, StoreError> {
    let newest = |place: &u64| redone.get(place).copied().unwrap_or(*place);
    let wanted: BTreeSet<u64> = lost.iter().map(newest).collect();
    let mut entries = Vec::new();
    for segment in ledger.segments(job).await? {
        if wanted.range(segment.indexes()).next().is_some() {
            let lost = ledger.manifest(job, segment).await?.into_iter();
            entries.extend(lost.filter(|entry| wanted.contains(&entry.datum.index)));
        }
    }
    let entries: Vec<ManifestEntry> = (first..).zip(entries).map(again).collect();
    let mut segments = Vec::new();
    for entries in entries.chunks(SEGMENT) {
        let segment = ledger.write_manifest(job, entries).await?;
        segments.push((segment, entries.to_vec()));
    }
    Ok(segments)
}

fn again((index, lost): (u64, ManifestEntry)) -> ManifestEntry {
    ManifestEntry {
        redo: Some(Redo {
            index: lost.place(),
            skipped: lost.done.is_some(),
        }),
        datum: Datum {
            index,
            ..lost.datum
        },
        done: None,
    }
}
