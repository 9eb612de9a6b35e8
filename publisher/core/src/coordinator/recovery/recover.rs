//! Rebuilds the state of a job from manifest and verdicts.

use std::collections::BTreeSet;

use drover_shared::datum::{IndexRanges, StageStats, Verdict, VerdictState};
use drover_shared::id::{DatumId, JobId};
use drover_shared::ledger::{Ledger, ManifestEntry, Segment};
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
            let verdict = on_its_own_work(job, segment, &entries, verdict);
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
                copy: false,
            });
        }
    }
    Ok(recovered)
}

/// The verdict, if on the work in the manifest. Any other verdict says nothing about the datum, which counts as done with
/// lost output: the publication finds the mismatch, and the datum runs again in the same job.
fn on_its_own_work(
    job: JobId,
    segment: Segment,
    entries: &[ManifestEntry],
    verdict: Verdict,
) -> Verdict {
    let at = verdict.index.checked_sub(segment.first);
    let at = at.and_then(|at| usize::try_from(at).ok());
    let entry = at.and_then(|at| entries.get(at));
    if entry.is_none_or(|entry| entry.datum.id == verdict.datum) {
        return verdict;
    }
    tracing::warn!(job.id = %job, "the verdict at index {} of job {job} is on other work; the datum runs again", verdict.index);
    Verdict {
        state: VerdictState::Success,
        cause: None,
        outputs: Vec::new(),
        stats: StageStats::default(),
        usage: None,
        taken_from: None,
        ..verdict
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::store::Store;

    use super::*;
    use crate::testing::samples::{entry, verdict};

    #[tokio::test]
    async fn a_failure_of_other_work_fails_no_datum() {
        let ledger = Ledger::new(Store::in_memory());
        for is_sealed in [false, true] {
            let job = JobId::generate();
            let entries = [entry(0, None), entry(1, None)];
            let segment = ledger.write_manifest(job, &entries).await.unwrap();
            let mut own = verdict(0, VerdictState::Success, &[]);
            own.datum = entries[0].datum.id;
            let mut other = verdict(1, VerdictState::Failed, &[]);
            other.datum = entries[0].datum.id;
            if is_sealed {
                ledger.seal(job, segment, &[own, other]).await.unwrap();
            } else {
                ledger.commit(job, &own).await.unwrap();
                ledger.commit(job, &other).await.unwrap();
            }
            let recovered = recover(&ledger, job).await.unwrap();
            let counts = recovered.tally.counts();
            assert_eq!((counts.processed, counts.failed), (2, 0));
        }
    }
}
