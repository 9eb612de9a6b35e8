//! Commands to inspect and stop jobs.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use drover_shared::datum::DatumState;
use drover_shared::id::PipelineName;

use super::Rows;
use super::values::{DatumChoice, duration, positive_number, whole_number};

/// Lists jobs, newest first.
#[derive(Clone, Debug, clap::Args)]
pub struct Jobs {
    /// Only jobs of this pipeline
    #[arg(long, value_name = "PIPELINE")]
    pub pipeline: Option<PipelineName>,

    /// Limit of the list.
    #[command(flatten)]
    pub rows: Rows,
}

/// Shows one job.
#[derive(Clone, Debug, clap::Args)]
pub struct Job {
    /// The job: an id, the beginning or end of one, or `last`
    #[arg(value_name = "JOB", default_value = "last")]
    pub job: String,
}

/// Lists the datums of a job.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: drover datums last --state failed --output json | jq -r '.inputs[].path'"
)]
pub struct Datums {
    /// The job: an id, the beginning or end of one, or `last`
    #[arg(value_name = "JOB", default_value = "last")]
    pub job: String,

    /// Only datums in this state; may be repeated
    #[arg(long, value_name = "STATE", value_parser = state_parser())]
    pub state: Vec<DatumState>,

    /// Limit of the list.
    #[command(flatten)]
    pub rows: Rows,
}

/// Shows the output of commands.
#[derive(Clone, Debug, clap::Args)]
pub struct Logs {
    /// The job: an id, the beginning or end of one, or `last`
    #[arg(value_name = "JOB", default_value = "last")]
    pub job: String,

    /// Only this datum: an index in the job, a prefix of a datum id, or the path of an input
    #[arg(long, value_name = "DATUM")]
    pub datum: Option<DatumChoice>,

    /// Only this attempt, counted from 1
    #[arg(long, value_name = "N", value_parser = positive_number, allow_negative_numbers = true)]
    pub attempt: Option<NonZeroU32>,

    /// Only the last lines of each log
    #[arg(long, value_name = "N", value_parser = whole_number::<usize>, allow_negative_numbers = true)]
    pub tail: Option<usize>,

    /// Continue with new output until the job has ended
    #[arg(long, short)]
    pub follow: bool,

    /// Begin each line with a time stamp
    #[arg(long, short)]
    pub timestamps: bool,
}

/// Describes a job in one HTML file.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: drover report last --file report.html")]
pub struct Report {
    /// The job: an id, the beginning or end of one, or `last`
    #[arg(value_name = "JOB", default_value = "last")]
    pub job: String,

    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Waits for the end of a job.
#[derive(Clone, Debug, clap::Args)]
pub struct Wait {
    /// The job: an id, the beginning or end of one, or `last`
    #[arg(value_name = "JOB", default_value = "last")]
    pub job: String,

    /// Give up after this time, with exit code 5, for example 10m [default: never]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// Stops a job.
#[derive(Clone, Debug, clap::Args)]
pub struct Stop {
    /// The job: an id, the beginning or end of one, or `last`
    #[arg(value_name = "JOB")]
    pub job: String,

    /// Request the stop, and return without waiting for the end
    #[arg(long)]
    pub no_wait: bool,
}

/// Explains a job or a registered pipeline.
#[derive(Clone, Debug, clap::Args)]
pub struct Explain {
    /// The job: an id, the beginning or end of one, or `last`; or the name of a registered pipeline
    #[arg(value_name = "JOB", default_value = "last")]
    pub job: String,

    /// Explain a datum of the job by its index: the end, the memory, and the expected needs of the next run
    #[arg(long, value_name = "N", value_parser = whole_number::<u64>, allow_negative_numbers = true)]
    pub datum: Option<u64>,
}

/// Names of the datum states in JSON.
const STATES: [&str; 7] = [
    "queued",
    "running",
    "retrying",
    "success",
    "failed",
    "recovered",
    "skipped",
];

fn state_parser() -> impl TypedValueParser<Value = DatumState> {
    PossibleValuesParser::new(STATES).try_map(|name| serde_json::from_value(name.into()))
}
