//! Work that is done again on request: all datums of a job that match a filter.

use std::time::{Duration, Instant};

use drover_shared::datum::DatumState;
use drover_shared::id::{DatumId, JobId, WorkerId};
use drover_shared::job::CauseKey;
use drover_shared::ledger::Scope;
use drover_shared::pipeline;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jobs::{JobPath, submit_one};
use super::scan::{Filter, Scan};
use crate::routing::body::{Empty, JsonBody};
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;
use drover_core::catalog;
use drover_core::coordinator::Assignment;

/// Time to look for matching datums.
const SEARCH_LIMIT: Duration = Duration::from_secs(15);
/// Rows of a page of the search.
const PAGE: usize = 10_000;

/// Filter of the datums, as for the list of datums; all by default.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RedoBody {
    /// Only datums in one of these states.
    #[serde(default)]
    state: Vec<DatumState>,
    /// Only datums with the text in the path of an input; case is ignored.
    path: Option<String>,
    /// Only datums that this worker ended.
    worker: Option<WorkerId>,
    /// Only failures of this group, by its key.
    group: Option<CauseKey>,
}

/// The new job.
#[derive(JsonSchema, Serialize)]
pub(crate) struct RedoneWork {
    /// The job that does the work again, over what the inputs hold now.
    job: JobId,
    /// Number of datums that matched.
    datums: u64,
}

pub(crate) async fn redo(
    ApiRequest {
        api,
        path,
        body,
        key,
        ..
    }: ApiRequest<JobPath, Empty, JsonBody<RedoBody>>,
) -> Result<RedoneWork, Error> {
    let record = api.named(path.id).await?;
    let broker = api.broker()?;
    let RedoBody {
        state,
        path: text,
        worker,
        group,
    } = body.0;
    let filter = Filter {
        states: state,
        path: text.map(|text| text.to_lowercase()),
        worker,
        cause: group,
    };
    let scan = Scan::of(api.ledger(), record.id, None);
    let chosen = matching(&scan, &filter).await?;
    if chosen.is_empty() {
        return Err(Error::unprocessable(
            "no datum matches, so there is nothing to do again",
        ));
    }
    let spec = match api.ledger().registered(&record.pipeline).await? {
        Some(registered) => registered.spec,
        None => api.ledger().spec(record.id).await?,
    };
    let pipeline = pipeline::from_value(&spec)?;
    catalog::redo_datums(api.ledger(), &record.pipeline, &chosen).await?;
    let assignment = Assignment::new(pipeline, spec, Scope::Everything, false);
    let job = submit_one(&api, broker.as_ref(), assignment, key).await?;
    Ok(RedoneWork {
        job,
        datums: chosen.len() as u64,
    })
}

/// The work of all datums that match.
async fn matching(scan: &Scan<'_>, filter: &Filter) -> Result<Vec<DatumId>, Error> {
    let begun = Instant::now();
    let mut chosen = Vec::new();
    let mut from = Some(0);
    while let Some(first) = from {
        let page = scan.look(filter, first, PAGE).await?;
        chosen.extend(page.rows.iter().map(|row| row.datum.id));
        from = page.next.map(|last| last + 1);
        if from.is_some() && begun.elapsed() > SEARCH_LIMIT {
            return Err(Error::unavailable(
                "the job is too large to be searched in the time of a request; `drover redo PIPELINE --path GLOB` takes as long as needed",
            ));
        }
    }
    Ok(chosen)
}
