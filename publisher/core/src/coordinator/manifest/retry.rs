//! The datums of an earlier job, for a retry. Successes are taken over. Failures run again if their inputs still exist;
//! a retry of one cause takes failures of other causes over.

use std::collections::{BTreeMap, HashMap};

use drover_shared::datum::{Datum, Verdict, VerdictState};
use drover_shared::id::{DatumId, JobId};
use drover_shared::job::CauseKey;
use drover_shared::ledger::{DoneRef, Ledger, ManifestEntry, Segment};
use drover_shared::store::StoreError;
use tokio::sync::mpsc;

use super::source::{DatumSource, FeedError, PlannedDatum};
use crate::coordinator::CoordinateError;
use crate::expand::ExpandError;

/// Datums read ahead of the manifest.
const AHEAD: usize = 1024;

/// Which datums of an earlier job run again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryScope {
    /// The earlier job.
    pub(crate) job: JobId,
    /// Restricts the retry to failures with the cause.
    pub(crate) group: Option<CauseKey>,
}

/// Checks that every datum to run again is still among `datums`, the expansion of the inputs as they are now.
pub(crate) async fn check(
    ledger: &Ledger,
    again: RetryScope,
    datums: impl Iterator<Item = Result<Datum, ExpandError>> + Send + 'static,
) -> Result<(), CoordinateError> {
    let job = again.job;
    if !ledger.is_manifest_complete(job).await? {
        return Err(CoordinateError::Incomplete { job });
    }
    let unfinished = unfinished(ledger, again).await?;
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

/// Datum ids to run again, each with the index and an input of one datum of that id.
type Unfinished = HashMap<DatumId, (u64, String)>;

async fn unfinished(ledger: &Ledger, again: RetryScope) -> Result<Unfinished, StoreError> {
    let mut unfinished = Unfinished::new();
    let redone = redone(ledger, again.job).await?;
    for segment in ledger.segments(again.job).await? {
        let planned = planned(ledger, again, segment, &redone).await?;
        for Datum { id, index, inputs } in planned.into_iter().filter_map(to_run) {
            let path = inputs
                .first()
                .map(|input| format!("{}:{}", input.repo, input.path));
            unfinished.insert(id, (index, path.unwrap_or_default()));
        }
    }
    Ok(unfinished)
}

/// The datum, if it must be run.
fn to_run(planned: PlannedDatum) -> Option<Datum> {
    let is_open = planned.entry.done.is_none() && planned.verdict.is_none();
    is_open.then_some(planned.entry.datum)
}

/// The subset of `unfinished` that is not among `datums`.
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

/// The datums of the earlier job from index `first` on, in order. A datum that does not run again carries its done
/// reference or its verdict.
pub(crate) fn datums_of(ledger: Ledger, again: RetryScope, first: u64) -> DatumSource {
    let (sender, entries) = mpsc::channel(AHEAD);
    let feed = Box::pin(async move {
        feed(&ledger, again, first, sender)
            .await
            .map_err(|error| FeedError::Infrastructure(error.into()))
    });
    DatumSource { entries, feed }
}

async fn feed(
    ledger: &Ledger,
    again: RetryScope,
    first: u64,
    sender: mpsc::Sender<PlannedDatum>,
) -> Result<(), StoreError> {
    let redone = redone(ledger, again.job).await?;
    for segment in ledger.segments(again.job).await? {
        for planned in planned(ledger, again, segment, &redone).await? {
            if planned.entry.datum.index >= first && sender.send(planned).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The datums of a segment of the earlier job, as planned for the new one.
async fn planned(
    ledger: &Ledger,
    again: RetryScope,
    segment: Segment,
    redone: &Redone,
) -> Result<Vec<PlannedDatum>, StoreError> {
    let mut entries = ledger.manifest(again.job, segment).await?;
    entries.retain(|entry| entry.redo.is_none());
    let verdicts = ledger.verdicts(again.job, segment).await?;
    let mut planned = taken_over(entries, verdicts, again);
    for datum in &mut planned {
        if let Some((index, verdict)) = redone.get(&datum.entry.datum.index) {
            let entry = ManifestEntry {
                done: None,
                ..datum.entry.clone()
            };
            *datum = plan(entry, verdict.clone(), *index, again);
        }
    }
    Ok(planned)
}

/// Pure: joins entries and verdicts of an earlier job, both sorted by index.
fn taken_over(
    entries: Vec<ManifestEntry>,
    verdicts: Vec<Verdict>,
    again: RetryScope,
) -> Vec<PlannedDatum> {
    let mut verdicts = verdicts.into_iter().peekable();
    let take = |entry: ManifestEntry| {
        let index = entry.datum.index;
        let verdict = verdicts.next_if(|verdict| verdict.index == index);
        plan(entry, verdict, index, again)
    };
    entries.into_iter().map(take).collect()
}

/// Pure: plans a datum of an earlier job. `index` is the index of its `verdict` there.
fn plan(
    mut entry: ManifestEntry,
    verdict: Option<Verdict>,
    index: u64,
    again: RetryScope,
) -> PlannedDatum {
    match verdict.map(|verdict| retry_decision(verdict, again)) {
        None | Some(RetryDecision::RunAgain) => entry.into(),
        Some(RetryDecision::Done) => {
            entry.done = Some(DoneRef {
                job: again.job,
                index,
            });
            entry.into()
        }
        Some(RetryDecision::TakeOver(mut verdict)) => {
            verdict.index = entry.datum.index;
            PlannedDatum {
                entry,
                verdict: Some(verdict),
            }
        }
    }
}

/// Datums that the earlier job did anew because their output was lost: index and verdict of the newest entry, by place.
type Redone = BTreeMap<u64, (u64, Option<Verdict>)>;

/// Reads the replacing entries at the end of the manifest.
async fn redone(ledger: &Ledger, job: JobId) -> Result<Redone, StoreError> {
    let mut redone = Redone::new();
    for segment in ledger.segments(job).await?.into_iter().rev() {
        let entries = ledger.manifest(job, segment).await?;
        if entries.iter().all(|entry| entry.redo.is_none()) {
            break;
        }
        let mut verdicts = ledger.verdicts(job, segment).await?.into_iter().peekable();
        for entry in entries {
            let index = entry.datum.index;
            let verdict = verdicts.next_if(|verdict| verdict.index == index);
            redone.entry(entry.place()).or_insert((index, verdict));
        }
    }
    Ok(redone)
}

/// Decision on a datum of an earlier job.
enum RetryDecision {
    /// The datum succeeded and is skipped.
    Done,
    /// The datum runs again.
    RunAgain,
    /// The datum failed for another cause; the verdict is taken over.
    TakeOver(Box<Verdict>),
}

fn retry_decision(verdict: Verdict, again: RetryScope) -> RetryDecision {
    let is_of = |group| {
        verdict.state == VerdictState::Failed
            && verdict.cause.as_ref().map(CauseKey::of) == Some(group)
    };
    match (verdict.state, again.group) {
        (VerdictState::Success, _) => RetryDecision::Done,
        (VerdictState::Failed | VerdictState::Recovered, None) => RetryDecision::RunAgain,
        (_, Some(group)) if is_of(group) => RetryDecision::RunAgain,
        (_, Some(_)) => RetryDecision::TakeOver(Box::new(verdict.taken_over(again.job))),
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::Cause;

    use super::*;
    use crate::testing::samples::{entry, verdict};

    fn exit(code: i32) -> Cause {
        let last_line = "no such column".to_owned();
        Cause::Exit { code, last_line }
    }

    #[test]
    fn only_what_failed_with_the_cause_runs_again() {
        use VerdictState::{Failed, Recovered, Success};
        let job = JobId::generate();
        let before = DoneRef { job, index: 70 };
        #[rustfmt::skip]
        let rows = [
            // Earlier outcome; decision in a retry of all failures, and in a retry of exit code 1.
            ("skipped before",           Some(before), None,                     "done",  "done"),
            ("succeeded",                None,         Some((Success, None)),    "done",  "done"),
            ("failed with the cause",    None,         Some((Failed, Some(1))),  "again", "again"),
            ("failed with another",      None,         Some((Failed, Some(2))),  "again", "left"),
            ("failed for nobody knows",  None,         Some((Failed, None)),     "again", "left"),
            ("recovered from the cause", None,         Some((Recovered, Some(1))), "again", "left"),
            ("never ended",              None,         None,                     "again", "again"),
        ];
        let entries: Vec<_> = (0..).zip(&rows).map(|(at, row)| entry(at, row.1)).collect();
        let ended = (0..)
            .zip(&rows)
            .filter_map(|(at, row)| row.2.map(|ended| (at, ended)));
        let verdicts: Vec<_> = ended
            .map(|(at, (state, code))| Verdict {
                cause: code.map(exit),
                ..verdict(at, state, &[])
            })
            .collect();
        for (group, column) in [(None, 3), (Some(CauseKey::of(&exit(1))), 4)] {
            let planned = taken_over(entries.clone(), verdicts.clone(), RetryScope { job, group });
            for (row, planned) in rows.iter().zip(planned) {
                let expected = if column == 3 { row.3 } else { row.4 };
                let found = match (&planned.entry.done, &planned.verdict) {
                    (Some(_), None) => "done",
                    (None, None) => "again",
                    (None, Some(_)) => "left",
                    (Some(_), Some(_)) => "both",
                };
                assert_eq!(found, expected, "{}, {group:?}", row.0);
            }
        }
    }

    #[test]
    fn what_is_left_says_where_it_failed_first_and_costs_nothing() {
        let (first, second) = (JobId::generate(), JobId::generate());
        let failed = verdict(0, VerdictState::Failed, &[]);
        let left = failed.taken_over(first).taken_over(second);
        assert_eq!(left.taken_from, Some(first));
        assert_eq!(left.stats, drover_shared::datum::StageStats::default());
    }
}
