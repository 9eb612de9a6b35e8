//! The command line of `drover-worker` and its environment variables. [`WorkerRequest`] interprets the arguments.
//!
//! [`WorkerRequest`]: crate::process::request::WorkerRequest

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};
use drover_shared::process::{describe_build, telemetry};
use drover_shared::queue::rabbitmq::BrokerUrl;
use drover_shared::units::{duration, size};

use crate::consume::PipelineChoice;
use crate::process::exit::Exit;
use crate::runner::{CommandLimits, SandboxMode};

const AFTER_HELP: &str = "\
Signals: the first SIGTERM or SIGINT drains the worker. It takes no more messages, finishes the
running datums within --grace and hands back the others, which costs no attempt. A second signal
cuts the drain short: the commands are killed and their datums go back to the queue.

Exit codes:
  0  drained after a signal
  1  this machine is not fit: no scratch space, no sandbox, the address of --listen is taken
  2  usage; nothing was done
  3  cut short by a second signal or the end of --grace; the running datums go back to the queue
  4  the store or the broker cannot be reached, or refuses

Credentials: give those of the broker in DROVER_BROKER, where `ps` does not show them, and those of
a bucket in AWS_*, GOOGLE_* or AZURE_*. No command of a pipeline gets any of these variables.

Examples:
  drover-worker --pipeline thumbs --broker amqps://rabbit.example.com --store s3://data
  drover-worker --pipeline '*' --broker amqps://rabbit.example.com --store s3://data
  drover-worker --pipeline map,reduce --slots 4 --store /mnt/data --listen 0.0.0.0:9090";

/// The text of `--version`. The commit is known to packages, whose build sets the variable.
static BUILD: LazyLock<String> =
    LazyLock::new(|| describe_build(env!("CARGO_PKG_VERSION"), option_env!("DROVER_COMMIT")));

/// Takes the datums of pipelines from the broker and runs their commands.
///
/// Start as many workers as you like, on any machines that reach the same broker and the same store. If a worker dies,
/// nothing is lost: its datums go to the other workers.
#[derive(Debug, Parser)]
#[command(name = "drover-worker", version, long_version = BUILD.as_str(), after_help = AFTER_HELP, max_term_width = 100)]
pub struct Args {
    /// The pipelines whose datums the worker takes; separate several by commas or repeat the flag
    ///
    /// A pattern takes all pipelines whose names match, as they come and go: '*' any, 'thumbs-*' a family. The time of the
    /// slots is shared by `priority` and `share` of the pipelines.
    #[arg(
        long = "pipeline",
        env = "DROVER_PIPELINES",
        value_name = "NAME|PATTERN",
        required = true,
        value_delimiter = ','
    )]
    pub pipelines: Vec<PipelineChoice>,

    /// The folder or bucket that holds the inputs, the outputs and Drover's records
    ///
    /// A folder, the same for all workers; or `s3://bucket/prefix`, `gs://…`, `az://…`.
    #[arg(
        long,
        env = "DROVER_STORE",
        value_name = "DIR|URL",
        default_value = "."
    )]
    pub store: String,

    /// The broker, a `RabbitMQ`: amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS
    ///
    /// `file:PATH` names a file that contains the URL. Commands cannot read the file, if the kernel has Landlock or the
    /// sandbox has mounts.
    #[arg(
        long,
        env = "DROVER_BROKER",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub broker: BrokerUrl,

    /// How long to try to connect to store and broker at the start, for example 30s or 5m
    #[arg(long, env = "DROVER_CONNECT_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub connect_timeout: Duration,

    /// Datums that run at the same time, as far as memory lets them: 1 to 65535, or `auto` for one a CPU
    ///
    /// With more than one, commands find their inputs at `/pfs` only if the kernel allows mount namespaces; `auto` is one
    /// where it does not.
    #[arg(
        long,
        env = "DROVER_SLOTS",
        value_name = "N|auto",
        default_value = "auto",
        help_heading = "Running"
    )]
    pub slots: SlotCount,

    /// Memory that all commands may use together, for example 12G [default: what is available at the start, less a reserve]
    #[arg(long, env = "DROVER_MEMORY", value_name = "SIZE", value_parser = size, help_heading = "Running")]
    pub memory: Option<u64>,

    /// Datums staged ahead of processing for each slot, 0 to 65535
    ///
    /// While datums take seconds, none is staged ahead unless staging takes long.
    #[arg(
        long,
        env = "DROVER_LOOK_AHEAD",
        value_name = "N",
        default_value = "2",
        help_heading = "Running"
    )]
    pub look_ahead: u16,

    /// How long running datums may finish after the first signal; in a pod, less than its termination grace period
    #[arg(long, env = "DROVER_GRACE", value_name = "TIME", default_value = "25s", value_parser = duration, help_heading = "Running")]
    pub grace: Duration,

    /// Time from SIGTERM to SIGKILL for a command that timed out or is stopped
    #[arg(long, env = "DROVER_TERM_GRACE", value_name = "TIME", default_value = "5s", value_parser = duration, help_heading = "Running")]
    pub term_grace: Duration,

    /// The sandbox of the commands
    #[arg(
        long,
        env = "DROVER_SANDBOX",
        value_name = "MODE",
        default_value = "auto",
        help_heading = "Running"
    )]
    pub sandbox: SandboxMode,

    /// Let commands keep all capabilities of the worker, such as the right to mount; others get those that containers
    /// have by default
    #[arg(long, env = "DROVER_PRIVILEGED", help_heading = "Running")]
    pub privileged: bool,

    /// Files that a process of a command has open at the same time, at least 64
    #[arg(
        long,
        env = "DROVER_MAX_OPEN_FILES",
        value_name = "N",
        default_value_t = CommandLimits::default().open_files,
        value_parser = clap::value_parser!(u32).range(i64::from(CommandLimits::LEAST_OPEN_FILES)..),
        help_heading = "Running"
    )]
    pub max_open_files: u32,

    /// Processes and threads of a command, at least 16
    ///
    /// A limit for each slot where the worker can make control groups; elsewhere for the command's user on this machine,
    /// and not for root.
    #[arg(
        long,
        env = "DROVER_MAX_PROCESSES",
        value_name = "N",
        default_value_t = CommandLimits::default().processes,
        value_parser = clap::value_parser!(u32).range(i64::from(CommandLimits::LEAST_PROCESSES)..),
        help_heading = "Running"
    )]
    pub max_processes: u32,

    /// Working directories of the datums [default: .drover/scratch in a folder store, else the system's temporary folder]
    #[arg(
        long,
        env = "DROVER_SCRATCH",
        value_name = "DIR",
        help_heading = "Running"
    )]
    pub scratch: Option<PathBuf>,

    /// Space for inputs from buckets that a `cross` shows to many datums, for example 50G, or 0G for none [default: a tenth of
    /// the file system of --scratch, 10 GiB at most]
    ///
    /// Each is downloaded once for all workers with the same --scratch, and least recently used ones make room.
    #[arg(long, env = "DROVER_CACHE_LIMIT", value_name = "SIZE", value_parser = size, help_heading = "Running")]
    pub cache_limit: Option<u64>,

    /// Disk space that a datum may fill in its working directory, for example 50G; a datum with more is ended and has failed [default: no limit]
    #[arg(long, env = "DROVER_SCRATCH_LIMIT", value_name = "SIZE", value_parser = size, help_heading = "Running")]
    pub scratch_limit: Option<u64>,

    /// Memory for all transfers to and from buckets together, for example 512M, at least 16Mi
    ///
    /// Uploads wait for memory before they read a file. Beyond it, a file of more than 160 GB has larger parts.
    #[arg(long, env = "DROVER_TRANSFER_MEMORY", value_name = "SIZE", default_value = "128Mi", value_parser = transfer_memory, help_heading = "Running")]
    pub transfer_memory: u64,

    /// Answer /live, /ready and /metrics (Prometheus) at this address, for example 0.0.0.0:9090 [default: nowhere]
    #[arg(
        long,
        env = "DROVER_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Monitoring"
    )]
    pub listen: Option<SocketAddr>,

    /// Log level on standard error: error, warn, info, debug, or `module=level,…`
    #[arg(
        long,
        env = "DROVER_LOG",
        value_name = "LEVEL",
        default_value = "info",
        help_heading = "Monitoring"
    )]
    pub log: String,

    /// Log format: lines for people, or one JSON object a line
    #[arg(
        long,
        env = "DROVER_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Monitoring"
    )]
    pub log_format: LogFormat,

    /// The first part of the worker's id [default: the pod's name, else the machine's]
    #[arg(
        long,
        env = "DROVER_WORKER_NAME",
        value_name = "NAME",
        help_heading = "Monitoring"
    )]
    pub name: Option<String>,

    /// Name of the worker's pod, for `PPS_POD_NAME`
    #[arg(
        long,
        env = "POD_NAME",
        value_name = "NAME",
        help_heading = "Monitoring"
    )]
    pub pod: Option<String>,

    /// The namespace of that pod, for `PPS_NAMESPACE`
    #[arg(
        long,
        env = "POD_NAMESPACE",
        value_name = "NAME",
        help_heading = "Monitoring"
    )]
    pub namespace: Option<String>,
}

/// The memory of transfers has room for one small file, or one part of a large one.
fn transfer_memory(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 16 << 20;
    match size(text)? {
        bytes if bytes < LEAST => {
            Err("give 16Mi or more: a file of that size goes in one piece".to_owned())
        }
        bytes => Ok(bytes),
    }
}

/// The number of datums that run at the same time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SlotCount {
    /// A slot for each CPU, or a single slot where commands find their inputs at `/pfs` only so.
    Auto,
    /// So many.
    Fixed(NonZeroU16),
}

impl FromStr for SlotCount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            number => number
                .parse()
                .map(Self::Fixed)
                .map_err(|_| "give a number from 1 to 65535, or auto"),
        }
    }
}

/// The format of log events.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl From<LogFormat> for telemetry::Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// Parses the command line of this process. clap returns `--help` and `--version` as errors, too.
pub fn parse() -> Result<Args, clap::Error> {
    Args::try_parse()
}

/// Prints the error or the help that clap returned, and returns the exit code.
pub fn refuse(refusal: &clap::Error) -> Exit {
    let _ = refusal.print();
    match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Drained,
        _ => Exit::Usage,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::consume::PipelineSelection;

    /// The command line without values from the environment of this process.
    fn command() -> clap::Command {
        Args::command()
            .term_width(100)
            .mut_args(|argument| argument.hide_env_values(true))
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_help_is_complete() {
        insta::assert_snapshot!("help", command().render_long_help());
    }

    #[test]
    fn every_setting_has_a_variable_and_the_broker_s_is_never_shown() {
        for argument in Args::command().get_arguments() {
            assert!(argument.get_env().is_some(), "{}", argument.get_id());
        }
        let hidden = |name: &str| {
            let mut arguments = Args::command();
            arguments.build();
            let argument = arguments.get_arguments().find(|it| it.get_id() == name);
            argument.is_some_and(clap::Arg::is_hide_env_values_set)
        };
        assert!(hidden("broker"));
        let typed = "drover-worker --pipeline p --broker amqp://me:hunter2@host";
        let args = Args::try_parse_from(typed.split(' ')).unwrap();
        assert!(!format!("{args:?}").contains("hunter2"));
    }

    #[test]
    fn pipelines_are_named_with_commas_or_one_by_one() {
        for typed in ["--pipeline a,b", "--pipeline a --pipeline b"] {
            let line = format!("drover-worker --broker amqp://host {typed}");
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            let selection = PipelineSelection::from_iter(args.pipelines);
            assert_eq!(selection.to_string(), "a, b", "{typed}");
        }
    }

    #[test]
    fn invalid_values_are_refused() {
        let rows = [
            ("--pipeline p --broker x --slots 0", "--slots"),
            ("--pipeline p --broker x --slots 70000", "--slots"),
            ("--pipeline p --broker x --slots many", "or auto"),
            ("--pipeline p --broker x --memory 12", "12G"),
            (
                "--pipeline p --broker x --scratch-limit 50",
                "--scratch-limit",
            ),
            ("--pipeline p --broker x --look-ahead=-1", "--look-ahead"),
            (
                "--pipeline p --broker x --transfer-memory 1M",
                "16Mi or more",
            ),
            ("--pipeline p --broker x --grace 25", "25s, 5m, 1h30m"),
            ("--pipeline p --broker x --sandbox chroot", "namespaces"),
            ("--pipeline p --broker x --listen 9090", "--listen"),
            ("--pipeline p --broker x --log-format xml", "--log-format"),
            (
                "--pipeline p --broker x --max-open-files 3",
                "--max-open-files",
            ),
            (
                "--pipeline p --broker x --max-processes 0",
                "--max-processes",
            ),
            ("--pipeline a/b --broker x", "a/b"),
            ("--pipeline a[ --broker x", "never closed"),
            ("--broker x --pipeline", "--pipeline"),
        ];
        for (typed, word) in rows {
            let line = format!("drover-worker {typed}");
            let text = Args::try_parse_from(line.split(' '))
                .unwrap_err()
                .to_string();
            assert!(text.contains(word), "{typed}: {text}");
        }
    }
}
