//! Stored successes: datums whose output later jobs reuse.

use std::collections::{BTreeMap, HashSet};

use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::{DoneIndex, DoneRef, Ledger, ManifestEntry, Segment};
use drover_shared::store::StoreError;

use crate::catalog::jobs_by_pipeline;

/// The jobs of each pipeline, oldest first, expired jobs with reused outputs included.
pub(super) async fn jobs_with_output(
    ledger: &Ledger,
) -> Result<BTreeMap<PipelineName, Vec<JobId>>, StoreError> {
    let mut jobs = jobs_by_pipeline(ledger).await?;
    for (job, pipeline) in ledger.expired_jobs().await? {
        jobs.entry(pipeline).or_default().push(job);
    }
    for jobs in jobs.values_mut() {
        jobs.sort_unstable();
    }
    Ok(jobs)
}

/// Tells which successes of a pipeline count.
pub(super) struct Successes {
    done: DoneIndex,
    unfolded: HashSet<JobId>,
}

impl Successes {
    /// The successes in `done`, and those of jobs that are not folded into the index yet.
    pub(super) async fn new(
        ledger: &Ledger,
        pipeline: &PipelineName,
        done: DoneIndex,
    ) -> Result<Self, StoreError> {
        let unfolded = ledger.unfolded(pipeline).await?.into_iter().collect();
        Ok(Self { done, unfolded })
    }

    /// The datums of a segment with a success that counts.
    pub(super) async fn of_segment(
        &self,
        ledger: &Ledger,
        job: JobId,
        segment: Segment,
    ) -> Result<Vec<(ManifestEntry, Verdict)>, StoreError> {
        let entries = ledger.manifest(job, segment).await?;
        let verdicts = ledger.verdicts(job, segment).await?;
        let mut entries = entries.into_iter().peekable();
        let mut found = Vec::new();
        for verdict in verdicts {
            while entries
                .next_if(|entry| entry.datum.index < verdict.index)
                .is_some()
            {}
            let Some(entry) = entries.next_if(|entry| entry.datum.index == verdict.index) else {
                continue;
            };
            if entry.datum.id == verdict.datum && self.counts(job, &verdict) {
                found.push((entry, verdict));
            }
        }
        Ok(found)
    }

    fn counts(&self, job: JobId, verdict: &Verdict) -> bool {
        let here = DoneRef {
            job,
            index: verdict.index,
        };
        verdict.state == VerdictState::Success
            && (self.unfolded.contains(&job) || self.done.get(verdict.datum) == Some(here))
    }
}
