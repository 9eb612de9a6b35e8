//! Collects the output pieces of all datums of a job, processed and skipped, from the ledger.

use std::path::Path;

use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::ledger::{Ledger, Segment};
use serde::{Deserialize, Serialize};

use super::OutputError;
use super::piece::{OutputPiece, StagedFile};
use super::sorter::{Sorted, Sorter};

/// A skipped datum with the job and index of its success. Sorts by these, so that each old result is read once.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct SkippedDatum {
    job: JobId,
    place: u64,
    index: u64,
}

/// All pieces of a job, sorted, and the datums without verdict.
pub(super) struct JobPieces {
    pub(super) pieces: Sorted<OutputPiece>,
    pub(super) lost: Vec<u64>,
}

/// Collects the pieces of `job`. All of its datums must have ended.
pub(super) async fn gather(
    ledger: &Ledger,
    job: JobId,
    scratch: &Path,
) -> Result<JobPieces, OutputError> {
    let mut pieces = Sorter::new(scratch);
    let mut skipped = Sorter::new(scratch);
    for segment in ledger.segments(job).await? {
        for verdict in ledger.verdicts(job, segment).await? {
            push_pieces(&mut pieces, job, verdict.index, &verdict)?;
        }
        for entry in ledger.manifest(job, segment).await? {
            if let Some(done) = entry.done {
                skipped.push(SkippedDatum {
                    job: done.job,
                    place: done.index,
                    index: entry.datum.index,
                })?;
            }
        }
    }
    let lost = gather_skipped(ledger, skipped.sorted()?, &mut pieces).await?;
    Ok(JobPieces {
        pieces: pieces.sorted()?,
        lost,
    })
}

/// Adds the pieces of skipped datums; returns datums with a missing verdict.
async fn gather_skipped(
    ledger: &Ledger,
    skipped: Sorted<SkippedDatum>,
    pieces: &mut Sorter<OutputPiece>,
) -> Result<Vec<u64>, OutputError> {
    let mut lost = Vec::new();
    let mut earlier = EarlierVerdicts::default();
    for skipped in skipped {
        let skipped = skipped?;
        match earlier.verdict(ledger, skipped.job, skipped.place).await? {
            Some(verdict) => push_pieces(pieces, skipped.job, skipped.index, verdict)?,
            None => lost.push(skipped.index),
        }
    }
    Ok(lost)
}

fn push_pieces(
    pieces: &mut Sorter<OutputPiece>,
    job: JobId,
    index: u64,
    verdict: &Verdict,
) -> std::io::Result<()> {
    if verdict.state != VerdictState::Success {
        return Ok(());
    }
    for (n, output) in verdict.outputs.iter().enumerate() {
        let source = StagedFile {
            index,
            n,
            job,
            staged: verdict.staged.clone(),
            size: output.size,
        };
        pieces.push(OutputPiece {
            path: output.path.clone(),
            source,
        })?;
    }
    Ok(())
}

/// Verdicts of earlier jobs, cached by segment; requests must ascend.
#[derive(Default)]
struct EarlierVerdicts {
    job: Option<JobId>,
    segments: Vec<Segment>,
    open: Option<Segment>,
    verdicts: Vec<Verdict>,
}

impl EarlierVerdicts {
    /// The verdict on datum `place` of `job`, if successful.
    async fn verdict(
        &mut self,
        ledger: &Ledger,
        job: JobId,
        place: u64,
    ) -> Result<Option<&Verdict>, OutputError> {
        if self.job != Some(job) {
            self.segments = ledger.segments(job).await?;
            self.open = None;
            self.job = Some(job);
        }
        if !self.open.is_some_and(|open| holds(open, place)) {
            let Some(segment) = self
                .segments
                .iter()
                .copied()
                .find(|segment| holds(*segment, place))
            else {
                return Ok(None);
            };
            self.verdicts = ledger.verdicts(job, segment).await?;
            self.open = Some(segment);
        }
        let found = self
            .verdicts
            .binary_search_by_key(&place, |verdict| verdict.index)
            .ok();
        Ok(found
            .map(|at| &self.verdicts[at])
            .filter(|verdict| verdict.state == VerdictState::Success))
    }
}

fn holds(segment: Segment, index: u64) -> bool {
    (segment.first..segment.first + segment.count).contains(&index)
}
