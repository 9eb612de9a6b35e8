//! Rebuilds from the ledger what is known of a job's datums, whatever became of those who knew.

use std::collections::BTreeSet;

use drover_shared::id::{DatumId, JobId};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;

use crate::coordinator::dispatch::supply::Load;
use crate::coordinator::track::tally::{Noted, Tally};

/// What the ledger tells of a job.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// What is known of its datums.
    pub(crate) tally: Tally,
    /// Segments with datums that have not ended.
    pub(crate) loads: Vec<Load>,
    /// Whether all its datums are known.
    pub(crate) expanded: bool,
    /// The last datum known.
    pub(crate) last: Option<DatumId>,
}

/// Reads the manifest and the verdicts of a job. A segment whose datums have all ended is sealed on the way.
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
        let mut ended = BTreeSet::new();
        let mut is_open = skipped.contains(&false);
        for verdict in ledger.verdicts(job, segment).await? {
            ended.insert(verdict.index);
            if let Noted::Complete(segment, verdicts) = recovered.tally.note(verdict) {
                is_open = false;
                if !sealed.contains(&segment) {
                    ledger.seal(job, segment, &verdicts).await?;
                }
            }
        }
        if is_open {
            recovered.loads.push(Load {
                segment,
                ended,
                again: true,
            });
        }
    }
    Ok(recovered)
}
