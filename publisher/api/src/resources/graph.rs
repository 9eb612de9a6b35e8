//! The graph of pipelines.

use super::pipelines;
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;
use drover_core::triggers::PipelineGraph;

/// Registered pipelines, with inputs and readers.
pub(crate) async fn graph(ApiRequest { api, .. }: ApiRequest) -> Result<PipelineGraph, Error> {
    Ok(PipelineGraph::of(&pipelines::all(&api).await?))
}
