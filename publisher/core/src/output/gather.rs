//! Collects the output pieces of all datums of a job, processed and skipped, from the ledger.

use std::collections::BTreeMap;
use std::path::Path;

use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::{DatumId, JobId};
use drover_shared::ledger::{Ledger, ManifestEntry, Segment};
use serde::{Deserialize, Serialize};

use super::OutputError;
use super::piece::{OutputPiece, StagedFile};
use super::sorted::sorter::{Sorted, Sorter};

/// A skipped datum with the job and index of its success. Sorts by these, so each old result is read once.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct SkippedDatum {
    job: JobId,
    index: u64,
    place: u64,
    datum: DatumId,
}

/// All pieces of a job, sorted, and the places of datums without a verdict on their work.
pub(super) struct JobPieces {
    pub(super) pieces: Sorted<OutputPiece>,
    pub(super) lost: Vec<u64>,
}

/// Collects the pieces of `job`. All of its datums must have ended. `redone` names the newest entry of a place, if it is
/// not the expanded one.
pub(super) async fn gather(
    ledger: &Ledger,
    job: JobId,
    redone: &BTreeMap<u64, u64>,
    scratch: &Path,
) -> Result<JobPieces, OutputError> {
    let mut pieces = Sorter::new(scratch);
    let mut skipped = Sorter::new(scratch);
    let mut lost = Vec::new();
    for segment in ledger.segments(job).await? {
        let mut verdicts = ledger.verdicts(job, segment).await?.into_iter().peekable();
        for entry in ledger.manifest(job, segment).await? {
            let index = entry.datum.index;
            while verdicts.next_if(|verdict| verdict.index < index).is_some() {}
            let verdict = verdicts.next_if(|verdict| verdict.index == index);
            let place = entry.place();
            if redone.get(&place).is_some_and(|newest| *newest != index) {
                continue;
            }
            match output_of(&entry, verdict.as_ref()) {
                DatumOutput::Own(verdict) => push_pieces(&mut pieces, job, place, verdict)?,
                DatumOutput::Earlier(earlier) => skipped.push(earlier)?,
                DatumOutput::Unknown => lost.push(place),
            }
        }
    }
    gather_skipped(ledger, skipped.sorted()?, &mut pieces, &mut lost).await?;
    Ok(JobPieces {
        pieces: pieces.sorted()?,
        lost,
    })
}

/// The output of a datum.
enum DatumOutput<'a> {
    /// The outputs of its verdict.
    Own(&'a Verdict),
    /// The outputs of an earlier success.
    Earlier(SkippedDatum),
    /// There is no verdict on its work.
    Unknown,
}

/// Pure: a verdict counts only for the work that the manifest names.
fn output_of<'a>(entry: &ManifestEntry, verdict: Option<&'a Verdict>) -> DatumOutput<'a> {
    match (entry.done, verdict) {
        (Some(done), _) => DatumOutput::Earlier(SkippedDatum {
            job: done.job,
            index: done.index,
            place: entry.place(),
            datum: entry.datum.id,
        }),
        (None, Some(verdict)) if verdict.datum == entry.datum.id => DatumOutput::Own(verdict),
        (None, _) => DatumOutput::Unknown,
    }
}

/// Adds the pieces of skipped datums; adds places with a missing verdict to `lost`.
async fn gather_skipped(
    ledger: &Ledger,
    skipped: Sorted<SkippedDatum>,
    pieces: &mut Sorter<OutputPiece>,
    lost: &mut Vec<u64>,
) -> Result<(), OutputError> {
    let mut earlier = EarlierVerdicts::default();
    for skipped in skipped {
        let skipped = skipped?;
        let verdict = earlier.verdict(ledger, skipped.job, skipped.index).await?;
        match verdict.filter(|verdict| verdict.datum == skipped.datum) {
            Some(verdict) => push_pieces(pieces, skipped.job, skipped.place, verdict)?,
            None => lost.push(skipped.place),
        }
    }
    Ok(())
}

fn push_pieces(
    pieces: &mut Sorter<OutputPiece>,
    job: JobId,
    place: u64,
    verdict: &Verdict,
) -> std::io::Result<()> {
    if verdict.state != VerdictState::Success {
        return Ok(());
    }
    for (n, output) in verdict.outputs.iter().enumerate() {
        let source = StagedFile {
            index: place,
            n,
            job,
            staged: verdict.staged.clone(),
            size: output.size,
            hash: output.hash.clone(),
            version: output.version.clone(),
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
