//! A file of a datum, as written: the output folder may hold a newer file.

use axum::response::Response;
use drover_shared::store::layout;
use schemars::JsonSchema;
use serde::Deserialize;

use super::content::send;
use super::place::open_staged;
use crate::resources::detail::{DatumPath, no_datum};
use crate::resources::scan::Scan;
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;

/// A file of the datum, or a part of it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct OutputQuery {
    /// Path below the output folder, as `outputs` of the datum tells it.
    path: String,
    /// The first byte.
    #[serde(default)]
    offset: u64,
    /// How many bytes, at most; all by default.
    limit: Option<u64>,
}

pub(crate) async fn output(
    ApiRequest {
        api, path, query, ..
    }: ApiRequest<DatumPath, OutputQuery>,
) -> Result<Response, Error> {
    let (ledger, DatumPath { id, index }) = (api.ledger(), path);
    api.named(id).await?;
    let Some(row) = Scan::of(ledger, id, None).one(index).await? else {
        return Err(no_datum(id, index));
    };
    let (job, verdict) = match row.done {
        Some(done) => (done.job, ledger.committed(done.job, done.index).await?),
        None => (id, row.verdict),
    };
    let found = verdict.and_then(|verdict| {
        let at = verdict
            .outputs
            .iter()
            .position(|output| output.path == query.path)?;
        Some((verdict.staged, at))
    });
    let Some((staged, at)) = found else {
        return Err(Error::not_found(format!(
            "datum {index} of job {id} wrote no file {:?}",
            query.path
        )));
    };
    let key = layout::staged_file(job, &staged, at);
    let file = open_staged(ledger.store(), &key).await?;
    let name = query.path.rsplit('/').next().unwrap_or_default();
    send(file, name, query.offset, query.limit)
}
