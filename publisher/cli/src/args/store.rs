//! Commands about stored work.

use drover_shared::glob::Glob;
use drover_shared::id::PipelineName;

/// Reads all stored outputs.
#[derive(Clone, Debug, clap::Args)]
pub struct Verify {
    /// Only the outputs of this pipeline [default: all pipelines]
    #[arg(value_name = "PIPELINE")]
    pub pipeline: Option<PipelineName>,
}

const REDO_EXAMPLES: &str = "\
Examples:
  drover redo thumbs                            everything
  drover redo thumbs --path '/2026/**'          datums with such an input
  drover redo thumbs --since 01kb4              whatever succeeded in this job or later
  drover redo thumbs && drover run thumbs.yaml";

/// Forgets chosen successes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = REDO_EXAMPLES)]
pub struct Redo {
    /// The pipeline
    #[arg(value_name = "PIPELINE")]
    pub pipeline: PipelineName,

    /// Only datums with an input whose path in its repo matches the glob
    #[arg(long, value_name = "GLOB")]
    pub path: Option<Glob>,

    /// Only the datum with the given id or prefix of an id, as `drover datums --output json` prints them
    #[arg(long, value_name = "ID", value_parser = datum_id)]
    pub datum: Option<String>,

    /// Only work of the given job or of later jobs
    #[arg(long, value_name = "JOB")]
    pub since: Option<String>,
}

/// At least six hexadecimal digits of a datum id.
fn datum_id(text: &str) -> Result<String, &'static str> {
    let is_id = (6..=32).contains(&text.len()) && text.bytes().all(|each| each.is_ascii_hexdigit());
    is_id
        .then(|| text.to_ascii_lowercase())
        .ok_or("give at least the first six hexadecimal digits of a datum id")
}
