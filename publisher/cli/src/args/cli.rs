//! The whole command line: the common options, and the list of commands.

use std::sync::LazyLock;
use std::time::Duration;

use clap::{Parser, Subcommand};
use drover_shared::process::describe_build;
use drover_shared::queue::rabbitmq::BrokerUrl;

use super::values::positive_duration;
use super::{
    Completions, Create, Datums, Delete, Du, Explain, Format, Gc, Import, Job, Jobs, Limits, Logs,
    Man, Manifest, Pause, Pipelines, Plan, Probe, Publish, Put, Redo, Report, Resume, Retry, Run,
    Serve, Share, Stop, Update, Validate, Verify, Wait,
};

const EXIT_CODES: &str = "\
Exit codes:
  0  all done
  1  the job failed: some datums failed, or its output could not be published
  2  usage, or an invalid spec; nothing was done
  3  the job was stopped: by `drover stop`, a signal or `job_timeout`
  4  the store or the broker cannot be reached or used
  5  `wait --timeout` ran out, or `publish --wait` was interrupted; the job continues

Standard output carries data, standard error carries messages. NO_COLOR=1 switches colours off;
DROVER_LOG=debug prints log messages.

Start here:
  drover run --glob 'photos/*.jpg' --out thumbs -- convert '{}' -resize 200 '{out}/{/}'
  drover run pipeline.yaml
  drover jobs";

/// The text of `--version`. The build script sets the variable where the commit is known.
static BUILD: LazyLock<String> =
    LazyLock::new(|| describe_build(env!("CARGO_PKG_VERSION"), option_env!("DROVER_COMMIT")));

/// Runs a command over every file of a folder or bucket, without losing or repeating anything.
///
/// Files become datums, the units of work; each datum runs the command once, in a sandbox of its own. Finished datums
/// are not repeated: the next run processes only new and changed files.
#[derive(Debug, Parser)]
#[command(name = "drover", version, long_version = BUILD.as_str(), after_help = EXIT_CODES, arg_required_else_help = true, max_term_width = 100)]
#[command(subcommand_value_name = "COMMAND", disable_help_subcommand = true)]
pub struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub common: Common,

    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The level of log messages unless `--log` names another.
pub const DEFAULT_LOG: &str = "warn";

/// Options of all commands.
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
    /// `amqps://` for TLS, `file:PATH` for a file that contains the URL. `run` and `retry` use it only when the flag is typed: the variable alone does not take their work to
    /// a cluster.
    #[arg(
        long,
        global = true,
        env = "DROVER_BROKER",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub broker: Option<BrokerUrl>,

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

    /// True if the broker is named on the command line itself.
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

    /// Print no progress, notes or summaries of successful jobs, only data and errors
    #[arg(
        long,
        short,
        global = true,
        conflicts_with = "verbose",
        hide_short_help = true
    )]
    pub quiet: bool,

    /// Print log messages, as `--log info` does; `-vv` as `--log debug`
    #[arg(long, short, global = true, action = clap::ArgAction::Count, hide_short_help = true)]
    pub verbose: u8,

    /// Level of log messages on standard error: error, warn, info, debug, or `room=level,…`
    #[arg(
        long,
        global = true,
        env = "DROVER_LOG",
        default_value = DEFAULT_LOG,
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
    /// Every file or directory that the globs of a pipeline match is a datum. The command runs once for each datum,
    /// with the inputs below `/pfs` and the output in `/pfs/out`, in a sandbox of its own. Datums that succeeded in
    /// an earlier run are skipped. The output folder, named as the pipeline, changes only once all datums have
    /// succeeded.
    Run(Run),
    /// Submit pipelines to a cluster of workers, as jobs that outlive this command
    ///
    /// The job is written to the store, and its id is printed. A `drover serve` coordinates the job, or this command
    /// with `--wait`. All workers need the same `--store` and `--broker`.
    Publish(Publish),
    /// Start jobs of registered pipelines when inputs change, and coordinate submitted jobs
    ///
    /// With `--broker`, workers are separate processes (`drover-worker`). Any number of services may run; each
    /// pipeline has one leader at a time, and another service takes over when the leader exits. Without a broker,
    /// this process runs the datums itself, on a store in a folder. SIGTERM loses nothing: the next service
    /// continues.
    Serve(Serve),
    /// Register pipelines, so that `serve` starts a job whenever their inputs change
    #[command(subcommand)]
    Create(Create),
    /// Replace the spec of registered pipelines
    #[command(subcommand)]
    Update(Update),
    /// Remove registered pipelines; their output stays
    #[command(subcommand)]
    Delete(Delete),
    /// Pause registered pipelines: no more jobs start
    #[command(subcommand)]
    Pause(Pause),
    /// Resume paused pipelines
    #[command(subcommand)]
    Resume(Resume),
    /// List registered pipelines, or draw the graph of inputs and outputs
    Pipelines(Pipelines),
    /// Preview the datums that a run would process
    ///
    /// Nothing is run and no job is created. New files are read once, because the id of a datum depends on the
    /// content.
    Plan(Plan),
    /// Check pipeline specs and show every finding
    ///
    /// With `--output json` the normal form of each spec is printed: without defaults, and with unified spelling.
    Validate(Validate),
    /// Print the JSON Schema of pipeline specs, for editors
    Schema,
    /// Convert pipeline specs to resources for Kubernetes
    ///
    /// Prints one `Pipeline` resource for each spec, in YAML, or in JSON with `--output json`. Drover's operator runs
    /// these resources.
    Manifest(Manifest),
    /// Make specs of what another system prints
    #[command(subcommand)]
    Import(Import),
    /// List jobs, newest first
    Jobs(Jobs),
    /// Show one job: its state, counts and failures by cause
    Job(Job),
    /// List the datums of a job with their states
    ///
    /// States: queued, and finally success, failed, recovered (by `err_cmd`) or skipped (done by an earlier job).
    /// Running and retrying datums are listed as queued; the page and the API of `drover serve` show what runs where.
    Datums(Datums),
    /// Show what the commands of a job printed
    ///
    /// Without `--datum`, each line begins with the datum's index and the attempt, `17.1 | …`; `err` stands for
    /// `err_cmd`. `--follow` shows the logs of running attempts as they grow; else the log of an attempt is shown once the
    /// attempt has ended.
    Logs(Logs),
    /// Wait until a job has ended
    ///
    /// Prints the record and exits with the code of the job, as `run` does.
    Wait(Wait),
    /// Stop a job; finished datums stay finished
    ///
    /// Running commands are ended. The next run of the pipeline continues from there.
    Stop(Stop),
    /// Run the failed datums of a job again, and only those
    ///
    /// A new job takes over the successful datums and runs the others: failed, recovered or never started. The
    /// command refuses if inputs have changed since; `run` takes the present inputs.
    Retry(Retry),
    /// Describe a job in one HTML file, for a colleague
    ///
    /// State, counts, failures by cause with the end of the logs, throughput and spec, below 1 MB, without external
    /// links.
    Report(Report),
    /// Copy files into the store: files and directories, or standard input
    ///
    /// Each file appears complete, in the place of an earlier one. From standard input, a tar archive is unpacked into a
    /// folder. Output folders of pipelines and Drover's own records are refused.
    Put(Put),
    /// Read every byte of the stored outputs, and report the work that a run would repeat
    ///
    /// Exits with 1 if a file is missing or damaged. Changes nothing.
    Verify(Verify),
    /// Forget chosen successes of a pipeline, so that the next job repeats the work
    ///
    /// The output folder stays unchanged until then.
    Redo(Redo),
    /// Remove finished jobs, superseded outputs and old logs, as far as `retention` allows
    ///
    /// `serve` and the end of `run` do the same, in small steps, for the pipeline of the job. This command works through
    /// the whole store. A pipeline with an active job is left out. It may be ended at any moment.
    Gc(Gc),
    /// Tell the space that the jobs and records of a store take, by pipeline, job and kind
    ///
    /// Inputs and output folders do not count. In a folder, staged outputs share their blocks with the output folder.
    Du(Du),
    /// List, define and change the limits that pipelines share, such as the seats of a licence
    Limit(Limits),
    /// Show or change the priority and the share of a pipeline, while its jobs run
    Share(Share),
    /// Show workers and pipelines: who serves what, with weights and limits
    ///
    /// For a worker: the pipelines it takes and serves. For a pipeline: priority, share, limits, the number of datums without a result, and the
    /// reason of a standstill.
    Workers,
    /// Explain why a job failed or makes no progress, or why a registered pipeline starts no job
    Explain(Explain),
    /// Print the completions for a shell
    Completions(Completions),
    /// Ask `serve` or a worker whether it is ready
    ///
    /// Exits with 0 if the process is ready, else prints the reason. For health checks of containers without another
    /// tool.
    #[command(hide = true)]
    Probe(Probe),
    /// Write the manual pages of all commands into a directory
    ///
    /// One page for each command, `drover.1`, `drover-run.1` and so on. For packages of distributions.
    #[command(hide = true)]
    Man(Man),
}
