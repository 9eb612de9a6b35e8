//! How pipelines hang together.

use super::pipelines;
use crate::routing::error::Error;
use crate::routing::route::Ask;
use drover_core::triggers::Graph;

/// Standing pipelines, what they read, and who reads what they write.
pub(crate) async fn graph(Ask { api, .. }: Ask) -> Result<Graph, Error> {
    Ok(Graph::of(&pipelines::all(&api).await?))
}
