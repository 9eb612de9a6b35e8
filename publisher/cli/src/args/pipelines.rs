//! Commands about registered pipelines.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use drover_shared::id::PipelineName;

const CREATE_EXAMPLES: &str = "\
Examples:
  drover create pipeline -f pipeline.yaml       from now on, `drover serve` starts its jobs
  drover update pipeline -f pipeline.yaml       give it another spec
  drover pipelines --graph                      who reads what";

/// Makes something that stays.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = CREATE_EXAMPLES)]
pub enum Create {
    /// Make registered pipelines: whenever their inputs change, `drover serve` starts a job for the difference
    Pipeline(SpecFiles),
}

/// Changes something that stays.
#[derive(Clone, Debug, Subcommand)]
pub enum Update {
    /// Give registered pipelines another spec; a job is started for what that changes
    Pipeline(SpecFiles),
}

/// Ends something that stays.
#[derive(Clone, Debug, Subcommand)]
pub enum Delete {
    /// End a registered pipeline; its running job is stopped, its output stays
    Pipeline(Named),
}

/// Pauses something.
#[derive(Clone, Debug, Subcommand)]
pub enum Pause {
    /// Start no more jobs of a registered pipeline; the running one goes on
    Pipeline(Named),
}

/// Takes a pause back.
#[derive(Clone, Debug, Subcommand)]
pub enum Resume {
    /// Start jobs of a registered pipeline again
    Pipeline(Named),
}

/// Specs in files.
#[derive(Clone, Debug, clap::Args)]
pub struct SpecFiles {
    /// A pipeline spec, JSON or YAML, one or several in a file; `-` reads standard input; may be repeated
    #[arg(short, long = "file", value_name = "SPEC", required = true)]
    pub files: Vec<PathBuf>,
}

/// A registered pipeline.
#[derive(Clone, Debug, clap::Args)]
pub struct Named {
    /// Its name
    #[arg(value_name = "PIPELINE")]
    pub name: PipelineName,
}

/// Lists registered pipelines.
#[derive(Clone, Debug, clap::Args)]
pub struct Pipelines {
    /// Show who reads what, as a tree or for Graphviz (`drover pipelines --graph dot | dot -Tsvg`)
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "text")]
    pub graph: Option<GraphFormat>,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum GraphFormat {
    /// A tree.
    Text,
    /// Graphviz's own language.
    Dot,
}
