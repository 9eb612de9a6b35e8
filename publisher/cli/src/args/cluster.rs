//! Commands for a cluster of workers.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use drover_api::BasePath;
use drover_shared::id::IdempotencyKey;
use drover_shared::queue::rabbitmq::PublishConnections;

use super::Sources;
use super::early_end::{EarlyEnd, Trial};
use super::values::{Http, concurrency, positive_duration};

const PUBLISH_EXAMPLES: &str = "\
Examples:
  export DROVER_STORE=s3://bucket/data DROVER_BROKER=amqp://user:password@rabbit
  drover publish pipeline.yaml                  prints the id of the job, and returns
  drover publish --wait pipeline.yaml           shows the progress, and exits as the job does
  id=$(drover publish pipeline.yaml) && drover wait $id
  drover publish --key night-$(date +%F) p.yaml may be repeated after any failure; there is one job a night
  drover publish map.yaml reduce.yaml           a chain: the second job begins once the first has succeeded";

/// Submits jobs to a cluster.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = PUBLISH_EXAMPLES)]
pub struct Publish {
    /// Specs or a one-liner.
    #[command(flatten)]
    pub sources: Sources,

    /// Process everything, also datums that succeeded before
    #[arg(long)]
    pub reprocess: bool,

    /// When the jobs end before their last datum.
    #[command(flatten)]
    pub early_end: EarlyEnd,

    /// Some datums before the others.
    #[command(flatten)]
    pub trial: Trial,

    /// Name of this submission: a repeated `publish` with the same key submits nothing and prints the ids of the first one
    #[arg(long, value_name = "KEY")]
    pub key: Option<IdempotencyKey>,

    /// Follow the jobs to the end, and coordinate them unless a `drover serve` does
    ///
    /// Exits as `run` does. Ctrl-C ends the command only; the job continues as soon as a service coordinates it.
    #[arg(long)]
    pub wait: bool,

    /// Directory with the signing keys of `notify`, for --wait; a file for each key [default: none]
    #[arg(long, env = "DROVER_NOTIFY_KEYS", value_name = "DIR")]
    pub notify_keys: Option<PathBuf>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  drover serve                                  the current folder, without a broker
  drover serve --store s3://bucket/data --broker amqp://user:password@rabbit --listen 0.0.0.0:9090";

/// Starts and coordinates jobs.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub struct Serve {
    /// Address for health checks and metrics (`/live`, `/ready`, `/metrics`), for example 0.0.0.0:9090 [default: none]
    #[arg(long, env = "DROVER_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Address of the page and the HTTP API, or `none` [default: 127.0.0.1:7600]
    ///
    /// There is no TLS: on a foreign network, put a reverse proxy before the service.
    #[arg(long, env = "DROVER_HTTP", value_name = "ADDRESS")]
    pub http: Option<Http>,

    /// Path below which a reverse proxy shows the page and the API, for example /drover [default: none]
    #[arg(
        long,
        env = "DROVER_BASE_PATH",
        default_value = "",
        hide_default_value = true,
        value_name = "PATH"
    )]
    pub base_path: BasePath,

    /// File with the token of the HTTP API; the variable `DROVER_TOKEN` can hold the token itself [default: `.drover/token` in
    /// the store]
    ///
    /// Without a token in a flag or variable, the first start makes one, keeps it in the store, readable for its owner only,
    /// and prints a link to the page that contains it.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with a read-only token; the variable `DROVER_READ_TOKEN` can hold the token itself
    #[arg(long, value_name = "FILE")]
    pub read_token_file: Option<PathBuf>,

    /// Require no token from local programs and pages; refused as root and for other addresses
    #[arg(long, conflicts_with_all = ["token_file", "read_token_file"])]
    pub no_token: bool,

    /// Time for which inputs must stay unchanged before a job starts, so that half-written files start none
    #[arg(long, env = "DROVER_SETTLE", default_value = "1s", value_name = "TIME", value_parser = positive_duration)]
    pub settle: Duration,

    /// Interval at which inputs are listed without a notification; needed for buckets and for folders that other
    /// machines change
    #[arg(long, env = "DROVER_LOOK_EVERY", default_value = "30s", value_name = "TIME", value_parser = positive_duration)]
    pub look_every: Duration,

    /// Maximum number of jobs to coordinate at a time, one for each pipeline [default: any number]
    #[arg(long, env = "DROVER_MAX_CONCURRENT_JOBS", value_name = "N")]
    pub max_concurrent_jobs: Option<NonZeroU32>,

    /// Maximum number of connections to the broker for publishing, shared by all jobs and the HTTP API, from 1 to 64
    ///
    /// A connection is opened when messages are under way on the others, and replaced when lost.
    #[arg(
        long,
        env = "DROVER_PUBLISH_CONNECTIONS",
        default_value = "2",
        value_name = "N"
    )]
    pub publish_connections: PublishConnections,

    /// Directory with the signing keys of `notify`, a file for each key [default: none]
    #[arg(long, env = "DROVER_NOTIFY_KEYS", value_name = "DIR")]
    pub notify_keys: Option<PathBuf>,

    /// Run the commands of `notify` in the environment of this process; every user who may register pipelines can then run commands
    #[arg(long, env = "DROVER_ALLOW_NOTIFY_COMMANDS")]
    pub allow_notify_commands: bool,

    /// Without a broker: datums of a job that run at the same time [default: the spec's constant, else one a CPU]
    #[arg(long, value_name = "N", value_parser = concurrency)]
    pub workers: Option<NonZeroU16>,
}

/// Asks a process for its readiness; for health checks of containers without another tool.
#[derive(Clone, Debug, clap::Args)]
pub struct Probe {
    /// The `--listen` address of the process
    #[arg(
        env = "DROVER_LISTEN",
        default_value = "127.0.0.1:9090",
        value_name = "ADDRESS"
    )]
    pub address: SocketAddr,
}
