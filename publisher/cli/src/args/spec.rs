//! Commands about specs.

use std::path::PathBuf;

use clap_complete::Shell;

use super::{InputOverride, OneLiner, Rows};

const PLAN_EXAMPLES: &str = "\
Examples:
  drover plan pipeline.yaml
  drover plan --glob 'photos/*.jpg' --out thumbs -- convert '{}' -resize 200 '{out}/{/}'
  drover plan --output json pipeline.yaml | jq -r '.inputs[].path'";

/// Sources of pipelines: specs, or the command line itself.
#[derive(Clone, Debug, clap::Args)]
pub struct Sources {
    /// Pipeline specs, JSON or YAML, one or several in a file; `-` reads standard input
    #[arg(value_name = "SPEC", required_unless_present_any = ["glob", "files_from"])]
    pub specs: Vec<PathBuf>,

    /// Read a repo from another place, for example photos=/data/photos; may be repeated
    #[arg(long = "input", value_name = "REPO=DIR|URL")]
    pub inputs: Vec<InputOverride>,

    /// A pipeline without a spec.
    #[command(flatten)]
    pub one_liner: OneLiner,
}

/// Previews the datums that a run would process.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub struct Plan {
    /// Specs or a one-liner.
    #[command(flatten)]
    pub sources: Sources,

    /// Say for each datum why it would run or be skipped: new, changed input, command or code, failed before
    #[arg(long)]
    pub why: bool,

    /// Limit of the list.
    #[command(flatten)]
    pub rows: Rows,
}

/// Checks specs.
#[derive(Clone, Debug, clap::Args)]
pub struct Validate {
    /// Pipeline specs, JSON or YAML; `-` reads standard input
    #[arg(value_name = "SPEC", required = true)]
    pub specs: Vec<PathBuf>,
}

/// Converts specs to Kubernetes resources.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: drover manifest pipeline.yaml | kubectl apply --server-side --filename -"
)]
pub struct Manifest {
    /// Pipeline specs, JSON or YAML; `-` reads standard input
    #[arg(value_name = "SPEC", required = true)]
    pub specs: Vec<PathBuf>,

    /// The namespace to write into the resources [default: none, so that kubectl decides]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  pachctl list pipeline --raw | drover import pachyderm - > specs.yaml
  drover import pachyderm dump.json --into specs && drover validate specs/*.yaml";

/// Makes specs of what another system prints.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(after_help = IMPORT_EXAMPLES)]
pub enum Import {
    /// Specs that run here from what `pachctl` prints (`inspect pipeline --raw`, `list pipeline --raw`, `extract pipeline`), and what has no counterpart
    Pachyderm(PachydermFiles),
}

/// Files with pipelines of Pachyderm.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct PachydermFiles {
    /// JSON or YAML, one or several documents; `-` reads standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Write a file NAME.yaml for each pipeline into this directory, instead of printing all; existing files are left alone
    #[arg(long, value_name = "DIRECTORY")]
    pub into: Option<PathBuf>,
}

/// Prints completions.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "For example: drover completions bash > ~/.local/share/bash-completion/completions/drover"
)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Writes manual pages.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "For example: drover man /usr/local/share/man/man1")]
pub struct Man {
    /// The directory, which is made if it is missing
    #[arg(value_name = "DIRECTORY")]
    pub directory: PathBuf,
}
