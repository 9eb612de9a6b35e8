//! The graph of registered pipelines and the folders that they read.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{InputKind, PipelineOverview, PipelineState};

/// Folders, clocks and pipelines, with an edge from each to its readers.
#[derive(Clone, Debug, Default, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Graph")]
pub struct PipelineGraph {
    /// Nodes, sorted.
    pub nodes: Vec<Node>,
    /// Edges, sorted.
    pub edges: Vec<Edge>,
}

/// A folder, a clock or a pipeline.
#[derive(Clone, Debug, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Node {
    /// A folder's name or URL, or a pipeline's name.
    pub id: String,
    /// Kind.
    pub kind: NodeKind,
    /// State of a pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PipelineState>,
}

/// Kind of a node.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A folder that no registered pipeline writes.
    Repo,
    /// A folder that holds the ticks of a clock.
    Cron,
    /// A registered pipeline, and its output folder.
    Pipeline,
}

/// The pipeline `to` reads `from`.
#[derive(Clone, Debug, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Edge {
    /// The node that is read.
    pub from: String,
    /// The reading pipeline.
    pub to: String,
    /// The directory below `/pfs`.
    pub input: String,
}

impl PipelineGraph {
    /// The graph of the given pipelines.
    pub fn of(pipelines: &[PipelineOverview]) -> Self {
        let mut nodes = BTreeSet::new();
        let mut edges = BTreeSet::new();
        for reader in pipelines {
            nodes.insert(Node {
                id: reader.pipeline.to_string(),
                kind: NodeKind::Pipeline,
                state: Some(reader.state),
            });
            for input in &reader.inputs {
                if input.from.is_none() {
                    nodes.insert(Node {
                        id: input.repo.clone(),
                        kind: match input.kind {
                            InputKind::Cron => NodeKind::Cron,
                            InputKind::Pfs => NodeKind::Repo,
                        },
                        state: None,
                    });
                }
                edges.insert(Edge {
                    from: input.repo.clone(),
                    to: reader.pipeline.to_string(),
                    input: input.name.clone(),
                });
            }
        }
        Self {
            nodes: nodes.into_iter().collect(),
            edges: edges.into_iter().collect(),
        }
    }

    /// The graph in Graphviz's format.
    pub fn dot(&self) -> Vec<String> {
        let mut lines = vec!["digraph drover {".to_owned(), "  rankdir=LR;".to_owned()];
        for node in &self.nodes {
            let shape = match node.kind {
                NodeKind::Repo => "folder",
                NodeKind::Cron => "circle",
                NodeKind::Pipeline => "box",
            };
            lines.push(format!("  {} [shape={shape}];", quoted(&node.id)));
        }
        for edge in &self.edges {
            lines.push(format!("  {} -> {};", quoted(&edge.from), quoted(&edge.to)));
        }
        lines.push("}".to_owned());
        lines
    }

    /// The graph as an indented tree for people: roots are nodes without a writer, children are readers.
    pub fn tree(&self) -> Vec<String> {
        let is_read_into = |id: &str| self.edges.iter().any(|edge| edge.to == id);
        let roots = self.nodes.iter().filter(|node| !is_read_into(&node.id));
        let mut lines = Vec::new();
        for root in roots {
            lines.push(root.id.clone());
            self.below(&root.id, "", &mut lines);
        }
        lines
    }

    fn below(&self, id: &str, indent: &str, lines: &mut Vec<String>) {
        let readers: BTreeSet<&str> = self
            .edges
            .iter()
            .filter(|edge| edge.from == id)
            .map(|edge| edge.to.as_str())
            .collect();
        let last = readers.len().saturating_sub(1);
        for (at, reader) in readers.into_iter().enumerate() {
            let (branch, trunk) = if at == last {
                ("└─▶ ", "    ")
            } else {
                ("├─▶ ", "│   ")
            };
            lines.push(format!("{indent}{branch}{reader}"));
            self.below(reader, &format!("{indent}{trunk}"), lines);
        }
    }
}

/// A quoted name in Graphviz's format.
fn quoted(id: &str) -> String {
    format!("\"{}\"", id.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> PipelineGraph {
        let node = |id: &str, kind| Node {
            id: id.to_owned(),
            kind,
            state: None,
        };
        let edge = |from: &str, to: &str| Edge {
            from: from.to_owned(),
            to: to.to_owned(),
            input: from.to_owned(),
        };
        PipelineGraph {
            nodes: vec![
                node("in", NodeKind::Repo),
                node("a\"b", NodeKind::Cron),
                node("map", NodeKind::Pipeline),
                node("reduce", NodeKind::Pipeline),
                node("report", NodeKind::Pipeline),
            ],
            edges: vec![
                edge("a\"b", "map"),
                edge("in", "map"),
                edge("map", "reduce"),
                edge("map", "report"),
            ],
        }
    }

    #[test]
    fn a_graph_is_drawn_for_people_and_for_graphviz() {
        insta::assert_snapshot!(graph().tree().join("\n"), @r#"
        in
        └─▶ map
            ├─▶ reduce
            └─▶ report
        a"b
        └─▶ map
            ├─▶ reduce
            └─▶ report
        "#);
        insta::assert_snapshot!(graph().dot().join("\n"), @r#"
        digraph drover {
          rankdir=LR;
          "in" [shape=folder];
          "a\"b" [shape=circle];
          "map" [shape=box];
          "reduce" [shape=box];
          "report" [shape=box];
          "a\"b" -> "map";
          "in" -> "map";
          "map" -> "reduce";
          "map" -> "report";
        }
        "#);
    }
}
