//! How pipelines hang together.

use super::pipelines;
use crate::routing::error::Error;
use crate::routing::route::Ask;
use drover_core::triggers::PipelineGraph;

/// Registered pipelines, what they read, and who reads what they write.
pub(crate) async fn graph(Ask { api, .. }: Ask) -> Result<PipelineGraph, Error> {
    Ok(PipelineGraph::of(&pipelines::all(&api).await?))
}
