//! Commands about stored work.

use std::path::PathBuf;

use drover_shared::glob::Glob;
use drover_shared::id::PipelineName;
use drover_shared::pipeline::Retention;

const PUT_EXAMPLES: &str = "\
Examples:
  drover put books/ alice.txt emma.txt               files into a folder of the store
  drover put books/ library                          all files below a directory
  drover put books/alice.txt < alice.txt             one file from standard input
  tar -C library -c . | drover put books/            many files from standard input
  tar -C library -c . | kubectl exec -i deployment/drover-service -- /drover put books/";

/// Copies files into the store.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = PUT_EXAMPLES)]
pub struct Put {
    /// The place in the store: a folder with a slash at the end, or one file
    #[arg(value_name = "PATH")]
    pub to: String,

    /// Files and directories; without any, standard input: a tar archive for a folder, else the content of the file
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

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

const GC_EXAMPLES: &str = "\
Examples:
  drover gc --dry-run                   what would be removed
  drover gc                             remove it
  drover gc thumbs                      of one pipeline
  drover gc --set jobs=500,logs=7d      keep more jobs, and logs for a week, in the whole store
  drover gc --set default               back to 50 jobs, logs 30 days, logs of failures 90 days

Each pipeline keeps its newest finished jobs, its newest success, and jobs that an unfinished job
refers to. Inputs, output folders, and whatever lets a later job skip work are never removed. Work
is forgotten once its job is gone and neither the newest success nor a kept job has its datum.";

/// Removes old jobs, outputs and logs.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = GC_EXAMPLES)]
pub struct Gc {
    /// Only this pipeline [default: all pipelines]
    #[arg(value_name = "PIPELINE")]
    pub pipeline: Option<PipelineName>,

    /// Only tell what would be removed
    #[arg(long)]
    pub dry_run: bool,

    /// First save the retention of pipelines without one in the spec: `jobs=N,logs=TIME,failed_logs=TIME`, or `default`
    #[arg(long, value_name = "RETENTION", value_parser = store_retention, conflicts_with = "dry_run")]
    pub set: Option<StoreRetention>,
}

/// The retention of a store as it was typed; none for the default.
#[derive(Clone, Debug)]
pub struct StoreRetention(pub Option<String>);

fn store_retention(text: &str) -> Result<StoreRetention, String> {
    if text == "default" {
        return Ok(StoreRetention(None));
    }
    text.parse::<Retention>()
        .map(|_| StoreRetention(Some(text.to_owned())))
}

const DU_EXAMPLES: &str = "\
Examples:
  drover du                     a row for each pipeline
  drover du thumbs              a row for each of its jobs
  drover du --output json       a line for each job, with bytes and files of every kind";

/// Tells the space of a store.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = DU_EXAMPLES)]
pub struct Du {
    /// The jobs of this pipeline [default: all pipelines]
    #[arg(value_name = "PIPELINE")]
    pub pipeline: Option<PipelineName>,
}

/// At least six hexadecimal digits of a datum id.
fn datum_id(text: &str) -> Result<String, &'static str> {
    let is_id = (6..=32).contains(&text.len()) && text.bytes().all(|each| each.is_ascii_hexdigit());
    is_id
        .then(|| text.to_ascii_lowercase())
        .ok_or("give at least the first six hexadecimal digits of a datum id")
}
