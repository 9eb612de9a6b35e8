//! The graph of pipelines.

use super::list;
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;
use drover_core::triggers::PipelineGraph;

/// Registered pipelines, with inputs and readers.
pub(crate) async fn graph(ApiRequest { api, .. }: ApiRequest) -> Result<PipelineGraph, Error> {
    Ok(PipelineGraph::of(&list::all(&api).await?))
}
