//! How pipelines hang together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::error::Error;
use super::pipelines::{self, InputKind, Pipeline, PipelineState};
use super::route::Ask;

/// Standing pipelines, what they read, and who reads what they write.
#[derive(JsonSchema, Serialize)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// A pipeline, or something that pipelines read.
#[derive(JsonSchema, Serialize)]
struct Node {
    /// Name of the pipeline or the repo.
    id: String,
    kind: NodeKind,
    /// What the pipeline is doing; for pipelines only.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<PipelineState>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum NodeKind {
    /// A folder that no standing pipeline writes.
    Repo,
    /// A standing pipeline.
    Pipeline,
    /// A clock.
    Cron,
}

/// A pipeline reads something.
#[derive(JsonSchema, Serialize)]
struct Edge {
    /// What is read: the id of a node.
    from: String,
    /// The pipeline that reads it.
    to: String,
    /// Name of the input.
    input: String,
}

pub(super) async fn graph(Ask { api, .. }: Ask) -> Result<Graph, Error> {
    Ok(drawn(&pipelines::all(&api).await?))
}

fn drawn(pipelines: &[Pipeline]) -> Graph {
    let mut nodes = BTreeMap::new();
    let mut edges = Vec::new();
    for pipeline in pipelines {
        for input in &pipeline.inputs {
            let kind = match input.kind {
                InputKind::Pfs => NodeKind::Repo,
                InputKind::Cron => NodeKind::Cron,
            };
            nodes.entry(input.repo.clone()).or_insert((kind, None));
            edges.push(Edge {
                from: input.repo.clone(),
                to: pipeline.name().to_string(),
                input: input.name.clone(),
            });
        }
    }
    for pipeline in pipelines {
        let node = (NodeKind::Pipeline, Some(pipeline.state));
        nodes.insert(pipeline.name().to_string(), node);
    }
    let node = |(id, (kind, state))| Node { id, kind, state };
    Graph {
        nodes: nodes.into_iter().map(node).collect(),
        edges,
    }
}
