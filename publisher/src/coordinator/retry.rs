//! The datums of an earlier job: what succeeded is taken over, the rest runs again, if its inputs are still there.

use std::collections::HashMap;

use drover_shared::datum::{Datum, VerdictState};
use drover_shared::id::{DatumId, JobId};
use drover_shared::ledger::{DoneRef, Ledger, ManifestEntry, Segment};
use drover_shared::store::StoreError;
use tokio::sync::mpsc;

use super::CoordinateError;
use super::source::{FeedError, Source};
use crate::expand::ExpandError;

/// Datums read ahead of the manifest.
const AHEAD: usize = 1024;

/// Checks that what did not succeed in `job` can run again: the inputs, as `datums` expands them now, still hold
/// what they held.
pub(super) async fn check(
    ledger: &Ledger,
    job: JobId,
    datums: impl Iterator<Item = Result<Datum, ExpandError>> + Send + 'static,
) -> Result<(), CoordinateError> {
    if !ledger.is_manifest_complete(job).await? {
        return Err(CoordinateError::Incomplete { job });
    }
    let unfinished = unfinished(ledger, job).await?;
    let missing = tokio::task::spawn_blocking(move || missing(unfinished, datums));
    let missing = missing
        .await
        .map_err(std::io::Error::other)?
        .map_err(CoordinateError::Expand)?;
    match missing.values().min() {
        None => Ok(()),
        Some((_, path)) => Err(CoordinateError::Changed {
            job,
            count: missing.len(),
            path: path.clone(),
        }),
    }
}

/// What did not succeed in a job, with the index and an input of one datum that does the work.
type Unfinished = HashMap<DatumId, (u64, String)>;

async fn unfinished(ledger: &Ledger, job: JobId) -> Result<Unfinished, StoreError> {
    let mut unfinished = Unfinished::new();
    for segment in ledger.segments(job).await? {
        for entry in entries(ledger, job, segment)
            .await?
            .into_iter()
            .filter(|entry| entry.done.is_none())
        {
            let path = entry
                .datum
                .inputs
                .first()
                .map(|input| format!("{}:{}", input.repo, input.path));
            unfinished.insert(
                entry.datum.id,
                (entry.datum.index, path.unwrap_or_default()),
            );
        }
    }
    Ok(unfinished)
}

/// The part of `unfinished` that is not among `datums`.
fn missing(
    mut unfinished: Unfinished,
    datums: impl Iterator<Item = Result<Datum, ExpandError>>,
) -> Result<Unfinished, ExpandError> {
    for datum in datums {
        if unfinished.is_empty() {
            break;
        }
        unfinished.remove(&datum?.id);
    }
    Ok(unfinished)
}

/// The datums of `job` from the one at `first` on, in order; what succeeded in it, or was skipped in it, is marked as
/// done.
pub(super) fn datums_of(ledger: Ledger, job: JobId, first: u64) -> Source {
    let (sender, entries) = mpsc::channel(AHEAD);
    let feed = Box::pin(async move {
        feed(&ledger, job, first, sender)
            .await
            .map_err(|error| FeedError::Machinery(error.into()))
    });
    Source { entries, feed }
}

async fn feed(
    ledger: &Ledger,
    job: JobId,
    first: u64,
    sender: mpsc::Sender<ManifestEntry>,
) -> Result<(), StoreError> {
    for segment in ledger.segments(job).await? {
        for entry in entries(ledger, job, segment).await? {
            if entry.datum.index >= first && sender.send(entry).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The datums of a segment; those that succeeded in it are marked as done there.
async fn entries(
    ledger: &Ledger,
    job: JobId,
    segment: Segment,
) -> Result<Vec<ManifestEntry>, StoreError> {
    let mut entries = ledger.manifest(job, segment).await?;
    let verdicts = ledger.verdicts(job, segment).await?;
    for verdict in verdicts
        .iter()
        .filter(|verdict| verdict.state == VerdictState::Success)
    {
        if let Ok(at) = entries.binary_search_by_key(&verdict.index, |entry| entry.datum.index) {
            entries[at].done = Some(DoneRef {
                job,
                index: verdict.index,
            });
        }
    }
    Ok(entries)
}
