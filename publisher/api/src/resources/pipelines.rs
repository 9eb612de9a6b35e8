//! Standing pipelines, as they stand.

use drover_shared::id::PipelineName;
use drover_shared::job::JobRecord;
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::route::Ask;
use drover_core::triggers::{Overview, overview};

/// A pipeline in the path.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PipelinePath {
    /// The pipeline.
    pub(crate) name: PipelineName,
}

/// All standing pipelines, sorted by name.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Pipelines {
    pipelines: Vec<Overview>,
}

/// All standing pipelines, sorted by name.
pub(crate) async fn all(api: &Api) -> Result<Vec<Overview>, StoreError> {
    let fresh = |record: JobRecord| api.live(record.id).map_or(record, |live| live.record);
    overview(api.ledger(), api.waiting(), fresh).await
}

pub(crate) async fn list(Ask { api, .. }: Ask) -> Result<Pipelines, Error> {
    Ok(Pipelines {
        pipelines: all(&api).await?,
    })
}

/// A standing pipeline, and what it does.
#[derive(JsonSchema, Serialize)]
pub(crate) struct PipelineDetails {
    #[serde(flatten)]
    pipeline: Overview,
    /// Its spec, normalised.
    spec: Value,
}

pub(crate) async fn show(
    Ask { api, path, .. }: Ask<PipelinePath>,
) -> Result<PipelineDetails, Error> {
    let standing = api.ledger().registered(&path.name).await?;
    let standing = standing.ok_or_else(|| unknown(&path.name))?;
    Ok(PipelineDetails {
        pipeline: named(&api, &path.name).await?,
        spec: standing.spec,
    })
}

/// A standing pipeline that somebody named.
pub(crate) async fn named(api: &Api, name: &PipelineName) -> Result<Overview, Error> {
    let mut all = all(api).await?.into_iter();
    all.find(|pipeline| pipeline.pipeline == *name)
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &PipelineName) -> Error {
    Error::not_found(format!(
        "there is no standing pipeline {name}; GET /api/v1/pipelines lists them"
    ))
}
