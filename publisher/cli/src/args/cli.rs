//! The whole command line: the common options, and the list of commands.

use std::time::Duration;

use clap::{Parser, Subcommand};

use super::values::positive_duration;
use super::{
    Completions, Create, Datums, Delete, Explain, Format, Job, Jobs, Logs, Manifest, Pause,
    Pipelines, Plan, Probe, Publish, Resume, Retry, Run, Serve, Stop, Update, Validate, Wait,
};

const EXIT_CODES: &str = "\
Exit codes:
  0  all done
  1  the job failed: some datums did, or its output could not be published
  2  usage, or an invalid spec; nothing was done
  3  the job was stopped: by `drover stop`, a signal or `job_timeout`
  4  the store or the broker cannot be reached or used
  5  `wait --timeout` ran out, or `publish --wait` was interrupted; the job goes on

Standard output carries data, standard error carries talk. NO_COLOR=1 switches colours off;
DROVER_LOG=debug tells more of what happens inside.

Start here:
  drover run --glob 'photos/*.jpg' --out thumbs -- convert '{}' -resize 200 '{out}/{/}'
  drover run pipeline.yaml
  drover jobs";

/// Runs a command over every file of a folder or bucket, without losing or repeating anything.
///
/// Files become datums, the units of work; each datum runs the command once, in a sandbox of its own.
/// What succeeded is not done again: the next run does only what is new or changed.
#[derive(Debug, Parser)]
#[command(name = "drover", version, after_help = EXIT_CODES, arg_required_else_help = true, max_term_width = 100)]
#[command(subcommand_value_name = "COMMAND", disable_help_subcommand = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,

    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// The folder or bucket that holds the inputs, the outputs and Drover's records
    ///
    /// A folder, or `s3://bucket/prefix`, `gs://…`, `az://…`; credentials come from the environment, as the
    /// cloud's own tools expect them (`AWS_ACCESS_KEY_ID`, `GOOGLE_APPLICATION_CREDENTIALS`,
    /// `AZURE_STORAGE_ACCOUNT_NAME` …).
    #[arg(
        long,
        global = true,
        env = "DROVER_STORE",
        default_value = ".",
        value_name = "DIR|URL"
    )]
    pub store: String,

    /// The `RabbitMQ` broker that workers are connected to, for example `amqp://user:password@host:5672/vhost`
    ///
    /// `amqps://` for TLS. `run` and `retry` use it only when the flag is typed: the variable alone does not take their work to
    /// a cluster.
    #[arg(
        long,
        global = true,
        env = "DROVER_BROKER",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub broker: Option<String>,

    /// How long the broker may take to be reached before a command gives up with exit code 4
    #[arg(
        long,
        global = true,
        env = "DROVER_CONNECT_TIMEOUT",
        default_value = "30s",
        value_name = "TIME",
        value_parser = positive_duration,
        hide_short_help = true
    )]
    pub connect_timeout: Duration,

    /// Whether the broker stands on the command line itself.
    #[arg(skip)]
    pub broker_is_typed: bool,

    /// How results and errors are printed: for people, or JSON for scripts
    #[arg(
        long,
        global = true,
        env = "DROVER_OUTPUT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub output: Format,

    /// What is told on standard error of what happens inside: error, warn, info, debug, or `room=level,…`
    #[arg(
        long,
        global = true,
        env = "DROVER_LOG",
        default_value = "warn",
        value_name = "LEVEL",
        hide_short_help = true
    )]
    pub log: String,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run pipelines, or a one-liner, on this machine
    ///
    /// Every file or directory that the globs of a pipeline match is a datum. Its command runs once for each, with the inputs
    /// below `/pfs` and its output in `/pfs/out`, in a sandbox of its own. What an earlier run did is skipped. The
    /// output folder, named as the pipeline, changes only once all datums have succeeded.
    Run(Run),
    /// Put pipelines on a cluster of workers, as jobs that outlive this command
    ///
    /// The job is written to the store whole, and its id printed. From then on it is seen through by whoever
    /// coordinates: `drover serve`, or this command itself with `--wait`. Workers, wherever they are, need the same
    /// `--store` and `--broker`.
    Publish(Publish),
    /// Start the jobs of registered pipelines when their inputs change, and see published jobs through
    ///
    /// With `--broker`, workers are processes of their own (`drover-worker`). Any number of these may run; each pipeline is
    /// seen to by one of them at a time, and when that one goes another one goes on where it was. Without a broker, this
    /// process works itself, on a store in a folder. SIGTERM loses nothing: what was at work is gone on with.
    Serve(Serve),
    /// Make registered pipelines, whose jobs `serve` starts whenever their inputs change
    #[command(subcommand)]
    Create(Create),
    /// Give registered pipelines another spec
    #[command(subcommand)]
    Update(Update),
    /// End registered pipelines; what they wrote stays
    #[command(subcommand)]
    Delete(Delete),
    /// Let registered pipelines start no more jobs
    #[command(subcommand)]
    Pause(Pause),
    /// Let registered pipelines start jobs again
    #[command(subcommand)]
    Resume(Resume),
    /// List registered pipelines, or draw who reads what
    Pipelines(Pipelines),
    /// Preview the datums that a run would work on
    ///
    /// Nothing is run and no job is made. New files are read once, since the id of a datum stands for their content.
    Plan(Plan),
    /// Check pipeline specs and show every finding
    ///
    /// With `--output json` it prints the normal form of each spec: defaults left out, spellings put right.
    Validate(Validate),
    /// Print the JSON Schema of pipeline specs, for editors
    Schema,
    /// Make resources for Kubernetes of pipeline specs
    ///
    /// Prints one `Pipeline` resource for each, in YAML, or in JSON with `--output json`. Drover's operator runs it.
    Manifest(Manifest),
    /// List jobs, newest first
    Jobs(Jobs),
    /// Show one job: its state, counts and failures by cause
    Job(Job),
    /// List the datums of a job with what became of them
    ///
    /// States: queued, and finally success, failed, recovered (by `err_cmd`) or skipped (done by an earlier job). What
    /// is running or retrying counts as queued here: the page and the API of `drover serve` show who is at what.
    Datums(Datums),
    /// Show what the commands of a job printed
    ///
    /// Of all datums, each line begins with the datum's index and the attempt, `17.1 | …`; `err` stands for `err_cmd`.
    /// The log of an attempt can be seen once the attempt has ended.
    Logs(Logs),
    /// Wait until a job has ended
    ///
    /// Prints its record and exits with its code, as `run` does.
    Wait(Wait),
    /// Stop a job; what is done stays done
    ///
    /// Running commands are ended. The next run of the pipeline goes on from there.
    Stop(Stop),
    /// Run the failed datums of a job again, and only those
    ///
    /// A new job takes over what succeeded, and runs what failed, was recovered or was not reached. It refuses when
    /// the inputs have changed since: `run` takes them as they are now.
    Retry(Retry),
    /// Say why a job failed or is not moving, or why a registered pipeline starts none
    Explain(Explain),
    /// Print the completions of a shell
    Completions(Completions),
    /// Ask `serve` or a worker whether it is ready
    ///
    /// Exits with 0 if it is, else says why not. For health checks of containers that have no other tool.
    #[command(hide = true)]
    Probe(Probe),
}
