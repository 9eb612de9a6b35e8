//! The datums of an earlier job: what succeeded is taken over, the rest runs again, if its inputs are still there; or of
//! the rest what failed with one cause, and other failures are taken over as well.

use std::collections::HashMap;

use drover_shared::datum::{Datum, Verdict, VerdictState};
use drover_shared::id::{DatumId, JobId};
use drover_shared::job::CauseKey;
use drover_shared::ledger::{DoneRef, Ledger, ManifestEntry, Segment};
use drover_shared::store::StoreError;
use tokio::sync::mpsc;

use super::source::{Coming, FeedError, Source};
use crate::coordinator::CoordinateError;
use crate::expand::ExpandError;

/// Datums read ahead of the manifest.
const AHEAD: usize = 1024;

/// What is to run again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Again {
    /// The earlier job.
    pub(crate) job: JobId,
    /// Only what failed with this cause.
    pub(crate) group: Option<CauseKey>,
}

/// Checks that what is to run again can: the inputs, as `datums` expands them now, still hold what they held.
pub(crate) async fn check(
    ledger: &Ledger,
    again: Again,
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

/// What is to run again, with the index and an input of one datum that does the work.
type Unfinished = HashMap<DatumId, (u64, String)>;

async fn unfinished(ledger: &Ledger, again: Again) -> Result<Unfinished, StoreError> {
    let mut unfinished = Unfinished::new();
    for segment in ledger.segments(again.job).await? {
        let coming = coming(ledger, again, segment).await?;
        for Datum { id, index, inputs } in coming.into_iter().filter_map(to_run) {
            let path = inputs
                .first()
                .map(|input| format!("{}:{}", input.repo, input.path));
            unfinished.insert(id, (index, path.unwrap_or_default()));
        }
    }
    Ok(unfinished)
}

/// The datum, if it is to be run.
fn to_run(coming: Coming) -> Option<Datum> {
    let is_open = coming.entry.done.is_none() && coming.verdict.is_none();
    is_open.then_some(coming.entry.datum)
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

/// The datums of the earlier job from the one at `first` on, in order; what is not to run again has its mark, or its
/// verdict.
pub(crate) fn datums_of(ledger: Ledger, again: Again, first: u64) -> Source {
    let (sender, entries) = mpsc::channel(AHEAD);
    let feed = Box::pin(async move {
        feed(&ledger, again, first, sender)
            .await
            .map_err(|error| FeedError::Machinery(error.into()))
    });
    Source { entries, feed }
}

async fn feed(
    ledger: &Ledger,
    again: Again,
    first: u64,
    sender: mpsc::Sender<Coming>,
) -> Result<(), StoreError> {
    for segment in ledger.segments(again.job).await? {
        for coming in coming(ledger, again, segment).await? {
            if coming.entry.datum.index >= first && sender.send(coming).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The datums of a segment of the earlier job, as they come into the new one.
async fn coming(
    ledger: &Ledger,
    again: Again,
    segment: Segment,
) -> Result<Vec<Coming>, StoreError> {
    let entries = ledger.manifest(again.job, segment).await?;
    let verdicts = ledger.verdicts(again.job, segment).await?;
    Ok(taken_over(entries, verdicts, again))
}

/// Pure: each datum with what the new job takes over of it. Both lists are sorted by index.
fn taken_over(entries: Vec<ManifestEntry>, verdicts: Vec<Verdict>, again: Again) -> Vec<Coming> {
    let mut verdicts = verdicts.into_iter().peekable();
    let take = |mut entry: ManifestEntry| {
        let index = entry.datum.index;
        let verdict = verdicts.next_if(|verdict| verdict.index == index);
        match verdict.map(|verdict| fate(verdict, again)) {
            None | Some(Fate::Again) => entry.into(),
            Some(Fate::Done) => {
                entry.done = Some(DoneRef {
                    job: again.job,
                    index,
                });
                entry.into()
            }
            Some(Fate::Left(verdict)) => Coming {
                entry,
                verdict: Some(verdict),
            },
        }
    };
    entries.into_iter().map(take).collect()
}

/// What becomes of a datum of an earlier job.
enum Fate {
    /// It succeeded, and is skipped.
    Done,
    /// It runs again.
    Again,
    /// It did not succeed, and is left at that.
    Left(Box<Verdict>),
}

fn fate(verdict: Verdict, again: Again) -> Fate {
    let is_of = |group| {
        verdict.state == VerdictState::Failed
            && verdict.cause.as_ref().map(CauseKey::of) == Some(group)
    };
    match (verdict.state, again.group) {
        (VerdictState::Success, _) => Fate::Done,
        (VerdictState::Failed | VerdictState::Recovered, None) => Fate::Again,
        (_, Some(group)) if is_of(group) => Fate::Again,
        (_, Some(_)) => Fate::Left(Box::new(verdict.taken_over(again.job))),
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
            // What it was before; what becomes of it in a retry of all, and of those that ended with 1.
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
            let coming = taken_over(entries.clone(), verdicts.clone(), Again { job, group });
            for (row, coming) in rows.iter().zip(coming) {
                let expected = if column == 3 { row.3 } else { row.4 };
                let found = match (&coming.entry.done, &coming.verdict) {
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
