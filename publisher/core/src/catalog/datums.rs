//! The datums of a job with what became of them, segment by segment.

use drover_shared::datum::{Datum, DatumState, Verdict};
use drover_shared::id::JobId;
use drover_shared::ledger::{DoneRef, Ledger, ManifestEntry, Segment};
use drover_shared::store::StoreError;

/// A datum, and what became of it.
#[derive(Clone, Debug)]
pub struct JobDatum {
    /// The datum.
    pub datum: Datum,
    /// Where it stands, as far as the books tell.
    pub state: DatumState,
    /// How it ended, if it has and was not skipped.
    pub verdict: Option<Verdict>,
    /// Where the same work was done before, for one that is skipped.
    pub done: Option<DoneRef>,
}

/// The datums of a segment, in order, with the verdicts that the ledger has for it.
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

/// Where a datum stands, from what the books say of it.
fn state_of(is_skipped: bool, verdict: Option<&Verdict>) -> DatumState {
    match verdict {
        Some(verdict) => verdict.state.into(),
        None if is_skipped => DatumState::Skipped,
        None => DatumState::Queued,
    }
}
