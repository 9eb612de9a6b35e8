//! Registered pipelines: list and details.

use drover_shared::id::PipelineName;
use drover_shared::job::JobRecord;
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;
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

pub(crate) async fn list(ApiRequest { api, .. }: ApiRequest) -> Result<Pipelines, Error> {
    Ok(Pipelines {
        pipelines: all(&api).await?,
    })
}

/// A registered pipeline with its spec.
#[derive(JsonSchema, Serialize)]
pub(crate) struct PipelineDetails {
    #[serde(flatten)]
    pipeline: PipelineOverview,
    /// The normalised spec.
    spec: Value,
}

pub(crate) async fn show(
    ApiRequest { api, path, .. }: ApiRequest<PipelinePath>,
) -> Result<PipelineDetails, Error> {
    let registered = api.ledger().registered(&path.name).await?;
    let registered = registered.ok_or_else(|| unknown(&path.name))?;
    Ok(PipelineDetails {
        pipeline: named(&api, &path.name).await?,
        spec: registered.spec,
    })
}

/// The registered pipeline of the name, or a 404 error.
pub(crate) async fn named(api: &Api, name: &PipelineName) -> Result<PipelineOverview, Error> {
    let mut all = all(api).await?.into_iter();
    all.find(|pipeline| pipeline.pipeline == *name)
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &PipelineName) -> Error {
    Error::not_found(format!(
        "pipeline {name} is not registered; GET /api/v1/pipelines lists the registered pipelines"
    ))
}
