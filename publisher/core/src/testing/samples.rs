//! Example datums and verdicts for tests.

use drover_shared::datum::{
    ContentTag, Datum, DatumInput, InputKind, Output, StageStats, Verdict, VerdictState,
};
use drover_shared::id::DatumId;
use drover_shared::ledger::{DoneRef, ManifestEntry};
use drover_shared::testing::samples::success;

/// The id of the datum at `index`.
pub fn datum_id(index: u64) -> DatumId {
    DatumId::from_hash(&blake3::hash(&index.to_le_bytes()))
}

/// The datum at `index`, with one input of `size` bytes.
pub fn datum(index: u64, size: u64) -> Datum {
    let input = DatumInput {
        name: "in".to_owned(),
        repo: "in".to_owned(),
        path: format!("/{index}"),
        kind: InputKind::File,
        size,
        join_on: None,
        group_by: None,
        tag: ContentTag::new(format!("tag-{index}")),
        leaf: 0,
        version: None,
    };
    Datum {
        index,
        id: datum_id(index),
        inputs: vec![input],
    }
}

/// A manifest entry, skipped if `done` says where its work was done.
pub fn entry(index: u64, done: Option<DoneRef>) -> ManifestEntry {
    ManifestEntry {
        datum: datum(index, 1),
        done,
        redo: None,
    }
}

/// The verdict of a worker on the datum at `index`; `outputs` are paths and sizes, sorted.
pub fn verdict(index: u64, state: VerdictState, outputs: &[(&str, u64)]) -> Verdict {
    Verdict {
        state,
        outputs: outputs
            .iter()
            .map(|(path, size)| Output {
                path: (*path).to_owned(),
                size: *size,
                hash: None,
                version: None,
            })
            .collect(),
        stats: StageStats {
            process_time_s: 0.25,
            download_bytes: 1,
            ..StageStats::default()
        },
        ..success(index, datum_id(index))
    }
}
