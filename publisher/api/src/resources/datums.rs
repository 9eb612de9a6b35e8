//! Datums of a job, page by page.

use drover_shared::datum::DatumState;
use drover_shared::id::WorkerId;
use drover_shared::job::CauseKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jobs::JobPath;
use super::scan::{Filter, Scan};
use crate::routing::error::Error;
use crate::routing::query::{Bounded, WordList};
use crate::routing::route::ApiRequest;
use drover_core::catalog::DatumJson;

/// Filter and page of the list.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct DatumsQuery {
    /// Only datums in these states, separated by commas.
    #[serde(default)]
    state: WordList<DatumState>,
    /// Only datums with the text in the path of an input; case is ignored.
    path: Option<String>,
    /// Only datums that the current worker runs or ended.
    worker: Option<WorkerId>,
    /// Only failures of this group, by its key.
    group: Option<CauseKey>,
    /// Only datums with a greater index.
    after: Option<u64>,
    /// How many datums, at most.
    #[serde(default)]
    limit: Bounded<100, 1000>,
}

/// Datums of a job, in their order.
#[derive(JsonSchema, Serialize)]
pub(crate) struct DatumsPage {
    datums: Vec<DatumJson>,
    /// Value of `after` for the next page; null at the end.
    next: Option<u64>,
    /// False if the time for the search ran out before the page was full, so more datums may follow.
    complete: bool,
    /// Number of examined datums.
    looked_at: u64,
}

pub(crate) async fn list(
    ApiRequest {
        api, path, query, ..
    }: ApiRequest<JobPath, DatumsQuery>,
) -> Result<DatumsPage, Error> {
    api.named(path.id).await?;
    let live = api.live(path.id);
    let filter = Filter {
        states: query.state.0,
        path: query.path.map(|path| path.to_lowercase()),
        worker: query.worker,
        cause: query.group,
    };
    let from = query.after.map_or(0, |after| after.saturating_add(1));
    let scan = Scan::of(api.ledger(), path.id, live.as_ref());
    let found = scan.look(&filter, from, query.limit.get()).await?;
    let shown = found.rows.into_iter();
    Ok(DatumsPage {
        datums: shown
            .map(|row| DatumJson::new(row.datum, row.state, row.verdict))
            .collect(),
        next: found.next,
        complete: found.complete,
        looked_at: found.looked_at,
    })
}
