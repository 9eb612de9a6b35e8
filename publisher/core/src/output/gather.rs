//! Gathers from the ledger the pieces of all datums of a job: of those it did, and of those it skipped.

use std::path::Path;

use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::ledger::{Ledger, Segment};
use serde::{Deserialize, Serialize};

use super::PublicationError;
use super::piece::{Piece, Source};
use super::sorter::{Sorted, Sorter};

/// A skipped datum, and where its work was done. Sorts by the latter, so that each old result is read once.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct Skipped {
    job: JobId,
    place: u64,
    index: u64,
}

/// All pieces of a job, sorted, and the datums whose verdicts are gone.
pub(super) struct Gathered {
    pub(super) pieces: Sorted<Piece>,
    pub(super) lost: Vec<u64>,
}

/// Gathers the pieces of `job`, whose datums have all ended.
pub(super) async fn gather(
    ledger: &Ledger,
    job: JobId,
    scratch: &Path,
) -> Result<Gathered, PublicationError> {
    let mut pieces = Sorter::new(scratch);
    let mut skipped = Sorter::new(scratch);
    for segment in ledger.segments(job).await? {
        for verdict in ledger.verdicts(job, segment).await? {
            push_pieces(&mut pieces, job, verdict.index, &verdict)?;
        }
        for entry in ledger.manifest(job, segment).await? {
            if let Some(done) = entry.done {
                skipped.push(Skipped {
                    job: done.job,
                    place: done.index,
                    index: entry.datum.index,
                })?;
            }
        }
    }
    let lost = gather_skipped(ledger, skipped.sorted()?, &mut pieces).await?;
    Ok(Gathered {
        pieces: pieces.sorted()?,
        lost,
    })
}

/// Adds the pieces of skipped datums; returns those whose verdicts are gone.
async fn gather_skipped(
    ledger: &Ledger,
    skipped: Sorted<Skipped>,
    pieces: &mut Sorter<Piece>,
) -> Result<Vec<u64>, PublicationError> {
    let mut lost = Vec::new();
    let mut earlier = Earlier::default();
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
    pieces: &mut Sorter<Piece>,
    job: JobId,
    index: u64,
    verdict: &Verdict,
) -> std::io::Result<()> {
    if verdict.state != VerdictState::Success {
        return Ok(());
    }
    for (n, output) in verdict.outputs.iter().enumerate() {
        let source = Source {
            index,
            n,
            job,
            staged: verdict.staged.clone(),
            size: output.size,
        };
        pieces.push(Piece {
            path: output.path.clone(),
            source,
        })?;
    }
    Ok(())
}

/// The results of earlier jobs, one segment at a time; asked for in ascending order.
#[derive(Default)]
struct Earlier {
    job: Option<JobId>,
    segments: Vec<Segment>,
    open: Option<Segment>,
    verdicts: Vec<Verdict>,
}

impl Earlier {
    /// The successful verdict on datum `place` of `job`, if there is one.
    async fn verdict(
        &mut self,
        ledger: &Ledger,
        job: JobId,
        place: u64,
    ) -> Result<Option<&Verdict>, PublicationError> {
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
