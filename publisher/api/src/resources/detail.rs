//! One datum.

use std::collections::{BTreeMap, BTreeSet};

use drover_shared::datum::{Output, StageStats, Verdict};
use drover_shared::id::JobId;
use drover_shared::job::JobRecord;
use drover_shared::ledger::{DoneRef, Ledger};
use drover_shared::store::StoreError;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jobs::Running;
use super::scan::{Patience, Scan};
use crate::routing::error::Error;
use crate::routing::route::Ask;
use drover_core::catalog;
use drover_core::catalog::DatumJson;

/// The largest job whose verdicts are all read for the sake of one datum.
const MOST_DATUMS: u64 = 20_000;
/// The most writers of one file that are named.
const MOST_WRITERS: usize = 100;

/// A datum in the path.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct DatumPath {
    /// The job.
    pub(crate) id: JobId,
    /// The datum's place in the job, counted from 0.
    pub(crate) index: u64,
}

/// A datum, and all that is known of it.
#[derive(JsonSchema, Serialize)]
pub(crate) struct DatumDetails {
    #[serde(flatten)]
    datum: DatumJson<Written>,
    /// How it ended; null if it has not, or was skipped.
    verdict: Option<Ending>,
    /// Who is at it, where that is known.
    running: Option<Running>,
    /// Where the same work was done before, if it is skipped.
    done: Option<Done>,
    /// The attempts that printed something; null stands for `err_cmd`.
    attempts_logged: Vec<Option<u32>>,
}

/// A file that a datum wrote.
#[derive(JsonSchema, Serialize)]
struct Written {
    /// Path below the output folder, beginning with `/`.
    path: String,
    /// Size in bytes.
    size: u64,
    /// All datums of the job that wrote this file, by index; null where that would take long to find out.
    from: Option<Vec<u64>>,
}

/// How a datum ended.
#[derive(JsonSchema, Serialize)]
struct Ending {
    /// When its last attempt began to stage.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started: Timestamp,
    /// When it ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    finished: Timestamp,
    /// What it cost.
    stats: StageStats,
    /// The job that it failed in, if its failure was taken over from there: it was not run again.
    taken_from: Option<JobId>,
}

impl From<&Verdict> for Ending {
    fn from(verdict: &Verdict) -> Self {
        Self {
            started: verdict.started,
            finished: verdict.finished,
            stats: verdict.stats,
            taken_from: verdict.taken_from,
        }
    }
}

/// Where work was done before.
#[derive(JsonSchema, Serialize)]
struct Done {
    /// The job.
    job: JobId,
    /// The datum's place in that job.
    index: u64,
}

impl From<DoneRef> for Done {
    fn from(done: DoneRef) -> Self {
        Self {
            job: done.job,
            index: done.index,
        }
    }
}

pub(crate) async fn show(Ask { api, path, .. }: Ask<DatumPath>) -> Result<DatumDetails, Error> {
    let (ledger, DatumPath { id, index }) = (api.ledger(), path);
    let record = api.named(id).await?;
    let live = api.live(id);
    let scan = Scan::of(ledger, id, live.as_ref());
    let Some(row) = scan.one(index).await? else {
        return Err(no_datum(id, index));
    };
    let verdict = row.verdict.as_ref();
    let outputs = verdict.map_or(&[][..], |verdict| &verdict.outputs);
    let mut writers = writers(ledger, &record, outputs).await?;
    let mut logged = BTreeSet::new();
    for log in catalog::logs_of(ledger, id, index).await? {
        logged.insert(catalog::attempt(&log.name));
    }
    let tell = |output: Output| Written {
        from: writers
            .as_mut()
            .and_then(|known| known.remove(&output.path)),
        path: output.path,
        size: output.size,
    };
    Ok(DatumDetails {
        verdict: verdict.map(Ending::from),
        running: scan.running(index).map(Running::from),
        done: row.done.map(Done::from),
        datum: DatumJson::new(row.datum, row.state, row.verdict).map_outputs(tell),
        attempts_logged: logged.into_iter().collect(),
    })
}

/// The error of a datum that the job does not have.
pub(crate) fn no_datum(job: JobId, index: u64) -> Error {
    Error::not_found(format!(
        "job {job} has no datum {index}; GET /api/v1/jobs/{job}/datums lists them"
    ))
}

/// For each of these files the datums that wrote it; none if that cannot be told soon. What skipped datums wrote is not
/// in this job's own records.
async fn writers(
    ledger: &Ledger,
    record: &JobRecord,
    files: &[Output],
) -> Result<Option<BTreeMap<String, Vec<u64>>>, StoreError> {
    if files.is_empty() || record.datums.skipped > 0 || record.datums.total > MOST_DATUMS {
        return Ok(None);
    }
    let mut writers: BTreeMap<String, Vec<u64>> = files
        .iter()
        .map(|file| (file.path.clone(), Vec::new()))
        .collect();
    let patience = Patience::begin();
    for segment in ledger.segments(record.id).await? {
        if patience.is_over() {
            return Ok(None);
        }
        for verdict in ledger.verdicts(record.id, segment).await? {
            for output in &verdict.outputs {
                match writers.get_mut(&output.path) {
                    Some(known) if known.len() < MOST_WRITERS => known.push(verdict.index),
                    _ => {}
                }
            }
        }
    }
    Ok(Some(writers))
}
