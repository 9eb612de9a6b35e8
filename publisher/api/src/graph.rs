//! How pipelines hang together.

use super::error::Error;
use super::pipelines;
use super::route::Ask;
use drover_core::triggers::Graph;

/// Standing pipelines, what they read, and who reads what they write.
pub(super) async fn graph(Ask { api, .. }: Ask) -> Result<Graph, Error> {
    Ok(Graph::of(&pipelines::all(&api).await?))
}
