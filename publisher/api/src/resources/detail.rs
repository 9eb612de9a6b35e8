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
use super::scan::{Scan, TimeBudget};
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;
use drover_core::catalog;
use drover_core::catalog::DatumJson;

/// Largest job whose verdicts are all read to find the writers of a file.
const MAX_DATUMS: u64 = 20_000;
/// Maximum number of writers that are listed for a file.
const MAX_WRITERS: usize = 100;

/// A datum in the path.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct DatumPath {
    /// The job.
    pub(crate) id: JobId,
    /// The datum's place in the job, counted from 0.
    pub(crate) index: u64,
}

/// A datum with verdict, attempts and outputs.
#[derive(JsonSchema, Serialize)]
pub(crate) struct DatumDetails {
    #[serde(flatten)]
    datum: DatumJson<WrittenFile>,
    /// How the datum ended; null for active and skipped datums.
    verdict: Option<DatumEnd>,
    /// The running attempt, if the current process coordinates the job.
    running: Option<Running>,
    /// The earlier success, if the datum was skipped.
    done: Option<EarlierWork>,
    /// The attempts that have a log; null stands for `err_cmd`.
    attempts_logged: Vec<Option<u32>>,
}

/// A file that the datum wrote.
#[derive(JsonSchema, Serialize)]
struct WrittenFile {
    /// Path below the output folder, beginning with `/`.
    path: String,
    /// Size in bytes.
    size: u64,
    /// Indexes of all datums that wrote the file; null where the search would take too long.
    from: Option<Vec<u64>>,
}

/// How a datum ended.
#[derive(JsonSchema, Serialize)]
struct DatumEnd {
    /// Time at which the last attempt began to stage.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started: Timestamp,
    /// Time of the end.
    #[schemars(with = "String", extend("format" = "date-time"))]
    finished: Timestamp,
    /// Duration and size of each stage.
    stats: StageStats,
    /// The earlier job of the failure, if the datum did not run again.
    taken_from: Option<JobId>,
}

impl From<&Verdict> for DatumEnd {
    fn from(verdict: &Verdict) -> Self {
        Self {
            started: verdict.started,
            finished: verdict.finished,
            stats: verdict.stats,
            taken_from: verdict.taken_from,
        }
    }
}

/// An earlier success.
#[derive(JsonSchema, Serialize)]
struct EarlierWork {
    /// The job.
    job: JobId,
    /// The datum's place in that job.
    index: u64,
}

impl From<DoneRef> for EarlierWork {
    fn from(done: DoneRef) -> Self {
        Self {
            job: done.job,
            index: done.index,
        }
    }
}

pub(crate) async fn show(
    ApiRequest { api, path, .. }: ApiRequest<DatumPath>,
) -> Result<DatumDetails, Error> {
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
    let tell = |output: Output| WrittenFile {
        from: writers
            .as_mut()
            .and_then(|known| known.remove(&output.path)),
        path: output.path,
        size: output.size,
    };
    Ok(DatumDetails {
        verdict: verdict.map(DatumEnd::from),
        running: scan.running(index).map(Running::from),
        done: row.done.map(EarlierWork::from),
        datum: DatumJson::new(row.datum, row.state, row.verdict).map_outputs(tell),
        attempts_logged: logged.into_iter().collect(),
    })
}

/// The 404 error for an unknown datum.
pub(crate) fn no_datum(job: JobId, index: u64) -> Error {
    Error::not_found(format!(
        "job {job} has no datum {index}; GET /api/v1/jobs/{job}/datums lists them"
    ))
}

/// The writers of each file; none if the search would take too long. Skipped datums have verdicts in earlier jobs
/// only, so jobs with skipped datums are not searched.
async fn writers(
    ledger: &Ledger,
    record: &JobRecord,
    files: &[Output],
) -> Result<Option<BTreeMap<String, Vec<u64>>>, StoreError> {
    if files.is_empty() || record.datums.skipped > 0 || record.datums.total > MAX_DATUMS {
        return Ok(None);
    }
    let mut writers: BTreeMap<String, Vec<u64>> = files
        .iter()
        .map(|file| (file.path.clone(), Vec::new()))
        .collect();
    let budget = TimeBudget::begin();
    for segment in ledger.segments(record.id).await? {
        if budget.is_over() {
            return Ok(None);
        }
        for verdict in ledger.verdicts(record.id, segment).await? {
            for output in &verdict.outputs {
                match writers.get_mut(&output.path) {
                    Some(known) if known.len() < MAX_WRITERS => known.push(verdict.index),
                    _ => {}
                }
            }
        }
    }
    Ok(Some(writers))
}
