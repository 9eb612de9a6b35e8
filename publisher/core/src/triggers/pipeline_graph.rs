//! The graph of registered pipelines and input folders.

use std::collections::{BTreeMap, BTreeSet};

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

    /// The graph as an indented tree for people: roots are nodes without a writer, children are readers. Each node has one
    /// line; a pipeline with several writers stands below one of them and names the others.
    pub fn tree(&self) -> Vec<String> {
        let mut tree = Tree::of(self);
        let written: BTreeSet<&str> = self.edges.iter().map(|edge| edge.to.as_str()).collect();
        let is_root = |node: &&Node| !written.contains(node.id.as_str());
        let roots = self.nodes.iter().filter(is_root);
        // Pipelines in a circle have no root.
        for node in roots.chain(&self.nodes) {
            tree.add_root(&node.id);
        }
        tree.lines
    }
}

/// A tree that is being drawn.
struct Tree<'a> {
    readers: BTreeMap<&'a str, BTreeSet<&'a str>>,
    writers: BTreeMap<&'a str, BTreeSet<&'a str>>,
    drawn: BTreeSet<&'a str>,
    lines: Vec<String>,
}

impl<'a> Tree<'a> {
    fn of(graph: &'a PipelineGraph) -> Self {
        let mut tree = Self {
            readers: BTreeMap::new(),
            writers: BTreeMap::new(),
            drawn: BTreeSet::new(),
            lines: Vec::new(),
        };
        for Edge { from, to, .. } in &graph.edges {
            tree.readers.entry(from).or_default().insert(to);
            tree.writers.entry(to).or_default().insert(from);
        }
        tree
    }

    fn add_root(&mut self, id: &'a str) {
        if self.drawn.insert(id) {
            self.lines.push(self.line(id, None));
            self.add_readers(id, "");
        }
    }

    fn add_readers(&mut self, id: &'a str, indent: &str) {
        let readers = self.readers.get(id).cloned().unwrap_or_default();
        let mut left: Vec<&str> = readers.into_iter().collect();
        left.retain(|reader| !self.drawn.contains(reader));
        self.drawn.extend(&left);
        let last = left.len().saturating_sub(1);
        for (at, reader) in left.into_iter().enumerate() {
            let (branch, trunk) = if at == last {
                ("└─▶ ", "    ")
            } else {
                ("├─▶ ", "│   ")
            };
            let line = self.line(reader, Some(id));
            self.lines.push(format!("{indent}{branch}{line}"));
            self.add_readers(reader, &format!("{indent}{trunk}"));
        }
    }

    /// The node, with the writers elsewhere in the tree.
    fn line(&self, id: &str, below: Option<&str>) -> String {
        let writers = self.writers.get(id).into_iter().flatten();
        let others: Vec<&str> = writers
            .copied()
            .filter(|writer| Some(*writer) != below)
            .collect();
        if others.is_empty() {
            return id.to_owned();
        }
        format!("{id} (reads {} too)", others.join(", "))
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
        └─▶ map (reads a"b too)
            ├─▶ reduce
            └─▶ report
        a"b
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

    #[test]
    fn each_pipeline_has_one_line_also_in_many_layers_and_in_a_circle() {
        let names: Vec<[String; 2]> = (0..20)
            .map(|layer| [format!("a{layer}"), format!("b{layer}")])
            .collect();
        let mut graph = PipelineGraph::default();
        for name in names.iter().flatten() {
            graph.nodes.push(Node {
                id: name.clone(),
                kind: NodeKind::Pipeline,
                state: None,
            });
        }
        let mut connect = |from: &String, to: &String| {
            graph.edges.push(Edge {
                from: from.clone(),
                to: to.clone(),
                input: from.clone(),
            });
        };
        for layers in names.windows(2) {
            for from in &layers[0] {
                layers[1].iter().for_each(|to| connect(from, to));
            }
        }
        connect(&names[19][0], &names[0][0]);
        connect(&names[19][0], &names[0][1]);
        let lines = graph.tree();
        assert_eq!(lines.len(), 40, "{lines:#?}");
    }
}
