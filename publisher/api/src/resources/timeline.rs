//! A job over time.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::jobs::JobPath;
use super::scan::TimeBudget;
use crate::routing::error::Error;
use crate::routing::query::Bounded;
use crate::routing::route::ApiRequest;
use crate::timeline::{Timeline, TimelineBuilder};

/// Resolution of the timeline.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TimelineQuery {
    /// Number of buckets.
    #[serde(default)]
    buckets: Bounded<120, 500>,
}

pub(crate) async fn show(
    ApiRequest {
        api, path, query, ..
    }: ApiRequest<JobPath, TimelineQuery>,
) -> Result<Timeline, Error> {
    let record = api.named(path.id).await?;
    let from = record.started.unwrap_or(record.created);
    let to = record.finished.unwrap_or_else(Timestamp::now);
    let budget = TimeBudget::begin();
    let sample = api
        .samples()
        .sample(api.ledger(), path.id, || budget.is_over())
        .await?;
    let mut builder = TimelineBuilder::new(from, to, query.buckets.get());
    builder.take(&sample);
    Ok(builder.finish())
}
