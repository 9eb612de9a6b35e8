//! Commands to run datums on the local machine.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use drover_worker::runner::CommandLimits;

use super::early_end::{EarlyEnd, Trial};
use super::spec::Sources;
use super::values::{concurrency, duration, size, whole_number};

const RUN_EXAMPLES: &str = "\
Examples:
  drover run pipeline.yaml                      a spec, over the folders beside you
  drover run map.yaml reduce.yaml               a chain: the second reads what the first one wrote
  drover run --input photos=/data/2026 p.yaml   the same spec over other data
  drover run --glob 'photos/*.jpg' --out thumbs -- convert '{}' -resize 200 '{out}/{/}'
  drover run --glob 'logs/*.gz' --out words --stdout '{/.}' -- 'zcat {} | wc -w'
  drover run --glob 'logs/*.gz' --out lines --stdout all.txt --stdin -- sh -c 'zcat | wc -l'

Ctrl-C drains: running datums may finish within --grace; a second Ctrl-C ends them. Either way the exit
code is 3, nothing is lost, and the next run continues from there.";

/// Runs pipelines, or a one-liner, on this machine.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct Run {
    /// Specs or a one-liner.
    #[command(flatten)]
    pub sources: Sources,

    /// Process everything, also datums that succeeded before
    #[arg(long, help_heading = "Running")]
    pub reprocess: bool,

    /// When the jobs end before their last datum.
    #[command(flatten)]
    pub early_end: EarlyEnd,

    /// Some datums before the others.
    #[command(flatten)]
    pub trial: Trial,

    /// Only preview the datums, as `drover plan` does
    #[arg(long, help_heading = "Running")]
    pub dry_run: bool,

    /// Options for running datums.
    #[command(flatten)]
    pub engine: Engine,
}

const RETRY_EXAMPLES: &str = "\
Examples:
  drover retry                   the unsuccessful datums of the last job
  drover retry --group 3f9a      only failures with this cause; `drover job` shows the keys
  drover retry 01kb4 --broker amqp://host   on the cluster

Successful datums are skipped. With --group, other failures stay as they are, so that the new job fails for them.";

/// Runs the failed datums of a job again.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = RETRY_EXAMPLES)]
pub struct Retry {
    /// The job: an id, the beginning or end of one, or `last`
    #[arg(value_name = "JOB", default_value = "last")]
    pub job: String,

    /// Only failures with this cause: a key as `drover job` shows it, or a prefix
    #[arg(long, value_name = "KEY")]
    pub group: Option<String>,

    /// Options for running datums.
    #[command(flatten)]
    pub engine: Engine,
}

/// Options for running datums on this machine.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Running")]
pub struct Engine {
    /// Datums that run at the same time, as far as memory lets them [default: the spec's `parallelism_spec.constant`, else one a CPU]
    #[arg(long, short = 'j', value_name = "N", value_parser = concurrency, allow_negative_numbers = true)]
    pub workers: Option<NonZeroU16>,

    /// Memory that all commands may use together, for example 12G [default: what is available at the start, less a reserve]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,

    /// Disk space that a datum may fill in its working directory, for example 50G; a datum with more is ended and has failed [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub scratch_limit: Option<u64>,

    /// Datums staged ahead for each worker [default: the spec's `max_queue_size`, else 2]
    #[arg(long, value_name = "N", value_parser = whole_number::<u32>, allow_negative_numbers = true)]
    pub look_ahead: Option<u32>,

    /// Time for running datums to finish after Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = duration)]
    pub grace: Duration,

    /// Time between SIGTERM and SIGKILL for a command that is timed out or stopped
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub term_grace: Duration,

    /// Fail at once if another job of the pipeline is running, instead of waiting
    #[arg(long)]
    pub no_wait: bool,

    /// Working directories of the datums; best on the store's own file system [default: .drover/scratch in the store]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,

    /// Directory with the signing keys of `notify`, a file for each key [default: none]
    #[arg(long, env = "DROVER_NOTIFY_KEYS", value_name = "DIR")]
    pub notify_keys: Option<PathBuf>,

    /// Let commands keep all capabilities of this process, such as the right to mount
    #[arg(long)]
    pub privileged: bool,

    /// Files that a process of a command has open at the same time, at least 64
    #[arg(
        long,
        value_name = "N",
        default_value_t = CommandLimits::default().open_files,
        value_parser = clap::value_parser!(u32).range(i64::from(CommandLimits::LEAST_OPEN_FILES)..)
    )]
    pub max_open_files: u32,

    /// Processes and threads of a command, at least 16
    ///
    /// A limit for each datum where control groups can be made, as by root; elsewhere for all processes of the command's
    /// user on this machine, and not for root.
    #[arg(
        long,
        value_name = "N",
        default_value_t = CommandLimits::default().processes,
        value_parser = clap::value_parser!(u32).range(i64::from(CommandLimits::LEAST_PROCESSES)..)
    )]
    pub max_processes: u32,
}
