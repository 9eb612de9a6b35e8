//! Registered pipelines, as they stand.

use drover_shared::id::PipelineName;
use drover_shared::job::JobRecord;
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::route::Ask;
use drover_core::triggers::{PipelineOverview, overview};

/// A pipeline in the path.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PipelinePath {
    /// The pipeline.
    pub(crate) name: PipelineName,
}

/// All registered pipelines, sorted by name.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Pipelines {
    pipelines: Vec<PipelineOverview>,
}

/// All registered pipelines, sorted by name.
pub(crate) async fn all(api: &Api) -> Result<Vec<PipelineOverview>, StoreError> {
    let fresh = |record: JobRecord| api.live(record.id).map_or(record, |live| live.record);
    overview(api.ledger(), api.waiting(), fresh).await
}

pub(crate) async fn list(Ask { api, .. }: Ask) -> Result<Pipelines, Error> {
    Ok(Pipelines {
        pipelines: all(&api).await?,
    })
}

/// A registered pipeline, and what it does.
#[derive(JsonSchema, Serialize)]
pub(crate) struct PipelineDetails {
    #[serde(flatten)]
    pipeline: PipelineOverview,
    /// Its spec, normalised.
    spec: Value,
}

pub(crate) async fn show(
    Ask { api, path, .. }: Ask<PipelinePath>,
) -> Result<PipelineDetails, Error> {
    let registered = api.ledger().registered(&path.name).await?;
    let registered = registered.ok_or_else(|| unknown(&path.name))?;
    Ok(PipelineDetails {
        pipeline: named(&api, &path.name).await?,
        spec: registered.spec,
    })
}

/// A registered pipeline that somebody named.
pub(crate) async fn named(api: &Api, name: &PipelineName) -> Result<PipelineOverview, Error> {
    let mut all = all(api).await?.into_iter();
    all.find(|pipeline| pipeline.pipeline == *name)
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &PipelineName) -> Error {
    Error::not_found(format!(
        "there is no registered pipeline {name}; GET /api/v1/pipelines lists them"
    ))
}
