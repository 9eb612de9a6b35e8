//! Commands about registered pipelines.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use drover_shared::id::PipelineName;

const CREATE_EXAMPLES: &str = "\
Examples:
  drover create pipeline -f pipeline.yaml       from now on, `drover serve` starts its jobs
  drover update pipeline -f pipeline.yaml       replace the spec
  drover pipelines --graph                      the graph of inputs and outputs";

/// Creates a resource.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = CREATE_EXAMPLES)]
pub enum Create {
    /// Register pipelines: `drover serve` starts a job for every change of their inputs
    Pipeline(SpecFiles),
}

/// Updates a resource.
#[derive(Clone, Debug, Subcommand)]
pub enum Update {
    /// Replace the spec of registered pipelines; a job starts for the difference
    Pipeline(SpecFiles),
}

/// Deletes a resource.
#[derive(Clone, Debug, Subcommand)]
pub enum Delete {
    /// Remove a registered pipeline; the running job is stopped, the output stays
    Pipeline(PipelineArg),
}

/// Pauses a resource.
#[derive(Clone, Debug, Subcommand)]
pub enum Pause {
    /// Pause a registered pipeline: no more jobs start, a running job continues
    Pipeline(PipelineArg),
}

/// Resumes a resource.
#[derive(Clone, Debug, Subcommand)]
pub enum Resume {
    /// Resume a paused pipeline
    Pipeline(PipelineArg),
}

/// Specs in files.
#[derive(Clone, Debug, clap::Args)]
pub struct SpecFiles {
    /// A pipeline spec, JSON or YAML, one or several in a file; `-` reads standard input; may be repeated
    #[arg(short, long = "file", value_name = "SPEC", required = true)]
    pub files: Vec<PathBuf>,
}

/// The name of a registered pipeline.
#[derive(Clone, Debug, clap::Args)]
pub struct PipelineArg {
    /// Name of the pipeline
    #[arg(value_name = "PIPELINE")]
    pub name: PipelineName,
}

/// Lists registered pipelines.
#[derive(Clone, Debug, clap::Args)]
pub struct Pipelines {
    /// Show the graph of inputs and outputs, as a tree or for Graphviz (`drover pipelines --graph dot | dot -Tsvg`)
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "text")]
    pub graph: Option<GraphFormat>,
}

/// Format of a graph.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum GraphFormat {
    /// A tree.
    Text,
    /// The language of Graphviz.
    Dot,
}
