//! The datums of a job with their states, segment by segment.

use drover_shared::datum::{Datum, DatumState, Verdict};
use drover_shared::id::JobId;
use drover_shared::ledger::{DoneRef, Ledger, ManifestEntry, Segment};
use drover_shared::store::StoreError;

/// A datum with its state and verdict.
#[derive(Clone, Debug)]
pub struct JobDatum {
    /// The datum.
    pub datum: Datum,
    /// State according to the ledger; a running datum counts as queued.
    pub state: DatumState,
    /// The verdict; none before the datum has ended, and for a skipped one.
    pub verdict: Option<Verdict>,
    /// The earlier job and index that did the same work, for a skipped datum.
    pub done: Option<DoneRef>,
}

/// The datums of a segment, in order, with their verdicts in the ledger.
pub async fn datum_rows(
    ledger: &Ledger,
    job: JobId,
    segment: Segment,
    verdicts: Vec<Verdict>,
) -> Result<Vec<JobDatum>, StoreError> {
    let entries = ledger.manifest(job, segment).await?;
    Ok(joined(entries, verdicts))
}

/// Each datum with its verdict; both are sorted by index.
fn joined(entries: Vec<ManifestEntry>, verdicts: Vec<Verdict>) -> Vec<JobDatum> {
    let mut verdicts = verdicts.into_iter().peekable();
    let row = |entry: ManifestEntry| {
        let verdict = verdicts.next_if(|verdict| verdict.index == entry.datum.index);
        JobDatum {
            state: state_of(entry.done.is_some(), verdict.as_ref()),
            datum: entry.datum,
            done: entry.done,
            verdict,
        }
    };
    entries.into_iter().map(row).collect()
}

/// The state of a datum according to its manifest entry and verdict.
fn state_of(is_skipped: bool, verdict: Option<&Verdict>) -> DatumState {
    match verdict {
        Some(verdict) => verdict.state.into(),
        None if is_skipped => DatumState::Skipped,
        None => DatumState::Queued,
    }
}
