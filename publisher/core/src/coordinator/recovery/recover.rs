//! Rebuilds the state of a job from manifest and verdicts.

use std::collections::BTreeSet;

use drover_shared::datum::IndexRanges;
use drover_shared::id::{DatumId, JobId};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;

use crate::coordinator::dispatch::tasks::PendingSegment;
use crate::coordinator::track::tally::{Tally, TallyChange};

/// State of a job according to the ledger.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Datums by outcome.
    pub(crate) tally: Tally,
    /// Segments with outstanding datums.
    pub(crate) pending: Vec<PendingSegment>,
    /// True if the manifest is complete.
    pub(crate) expanded: bool,
    /// Id of the last datum in the manifest.
    pub(crate) last: Option<DatumId>,
}

/// Reads manifest and verdicts of a job, and seals complete segments.
pub(crate) async fn recover(ledger: &Ledger, job: JobId) -> Result<Recovered, StoreError> {
    let mut recovered = Recovered {
        expanded: ledger.is_manifest_complete(job).await?,
        ..Recovered::default()
    };
    let sealed: BTreeSet<_> = ledger.sealed_segments(job).await?.into_iter().collect();
    for segment in ledger.segments(job).await? {
        let entries = ledger.manifest(job, segment).await?;
        let skipped: Vec<bool> = entries.iter().map(|entry| entry.done.is_some()).collect();
        recovered.last = entries.last().map(|entry| entry.datum.id);
        recovered.tally.open(segment, &skipped);
        recovered.tally.replace(&entries);
        let mut left_out = IndexRanges::default();
        let mut is_open = skipped.contains(&false);
        for verdict in ledger.verdicts(job, segment).await? {
            left_out.insert(verdict.index..verdict.index + 1);
            if let TallyChange::Complete(segment, verdicts) = recovered.tally.note(verdict) {
                is_open = false;
                if !sealed.contains(&segment) {
                    ledger.seal(job, segment, &verdicts).await?;
                }
            }
        }
        if is_open {
            recovered.pending.push(PendingSegment {
                segment,
                left_out,
                again: true,
            });
        }
    }
    Ok(recovered)
}
