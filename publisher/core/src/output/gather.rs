//! Collects the output pieces of all datums of a job, processed and skipped, from the ledger.

use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::{DatumId, JobId};
use drover_shared::ledger::{Ledger, ManifestEntry, Segment};
use drover_shared::store::StoreError;
use serde::{Deserialize, Serialize};

use super::piece::{OutputPiece, StagedFile};
use super::sorted::sorter::{Sorted, Sorter};
use super::{OutputError, OutputRequest};

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

/// Collects the pieces of the job. All of its datums must have ended.
pub(super) async fn gather(request: &OutputRequest<'_>) -> Result<JobPieces, OutputError> {
    let OutputRequest {
        ledger,
        job,
        redone,
        scratch,
        from_start,
        ..
    } = *request;
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
                DatumOutput::Own(verdict) => {
                    push_pieces(&mut pieces, job, place, verdict, from_start)?;
                }
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
        let (verdict, is_synced) = earlier.verdict(ledger, skipped.job, skipped.index).await?;
        match verdict.filter(|verdict| verdict.datum == skipped.datum) {
            Some(verdict) => {
                push_pieces(pieces, skipped.job, skipped.place, verdict, is_synced)?;
            }
            None => lost.push(skipped.place),
        }
    }
    Ok(())
}

/// Adds the pieces of a datum. Unless `is_synced`, a power cut may have damaged its staged files and left their attributes,
/// so their versions at commit prove nothing, and their hashes are compared.
fn push_pieces(
    pieces: &mut Sorter<OutputPiece>,
    job: JobId,
    place: u64,
    verdict: &Verdict,
    is_synced: bool,
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
            version: output
                .version
                .clone()
                .filter(|_| is_synced || output.hash.is_none()),
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
    is_synced: bool,
    segments: Vec<Segment>,
    open: Option<Segment>,
    verdicts: Vec<Verdict>,
}

impl EarlierVerdicts {
    /// The verdict on datum `place` of `job`, if successful; true if the job's outputs were forced to the disk.
    async fn verdict(
        &mut self,
        ledger: &Ledger,
        job: JobId,
        place: u64,
    ) -> Result<(Option<&Verdict>, bool), OutputError> {
        if self.job != Some(job) {
            self.segments = ledger.segments(job).await?;
            self.is_synced = ledger.is_synced(job).await?;
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
                return Ok((None, self.is_synced));
            };
            self.verdicts = whole_verdicts(ledger, job, segment).await?;
            self.open = Some(segment);
        }
        let found = self
            .verdicts
            .binary_search_by_key(&place, |verdict| verdict.index)
            .ok();
        let verdict = found
            .map(|at| &self.verdicts[at])
            .filter(|verdict| verdict.state == VerdictState::Success);
        Ok((verdict, self.is_synced))
    }
}

/// The verdicts of a segment of an earlier job. Damaged ones do not count, so their datums run again.
async fn whole_verdicts(
    ledger: &Ledger,
    job: JobId,
    segment: Segment,
) -> Result<Vec<Verdict>, OutputError> {
    match ledger.verdicts(job, segment).await {
        Err(error @ StoreError::Corrupt { .. }) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(job.id = %job, error, "damaged verdicts of job {job} do not count; their datums run again");
            Ok(Vec::new())
        }
        verdicts => Ok(verdicts?),
    }
}

fn holds(segment: Segment, index: u64) -> bool {
    (segment.first..segment.first + segment.count).contains(&index)
}
