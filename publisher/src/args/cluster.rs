//! Commands for a cluster of workers.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Sources;
use super::values::Http;

const PUBLISH_EXAMPLES: &str = "\
Examples:
  export DROVER_STORE=s3://bucket/data DROVER_BROKER=amqp://user:password@rabbit
  drover publish pipeline.yaml                  prints the id of the job, and returns
  drover publish --wait pipeline.yaml           shows its progress, and exits as the job does
  id=$(drover publish pipeline.yaml) && drover wait $id
  drover publish map.yaml reduce.yaml           a chain: the second job begins once the first has succeeded";

/// Puts jobs on a cluster.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = PUBLISH_EXAMPLES)]
pub struct Publish {
    /// What to publish.
    #[command(flatten)]
    pub sources: Sources,

    /// Do everything, also what succeeded before
    #[arg(long)]
    pub reprocess: bool,

    /// Follow the jobs to their end, coordinating them if nobody else does
    ///
    /// Exits as `run` does. Ctrl-C ends this command only; the job goes on as soon as somebody coordinates it.
    #[arg(long)]
    pub wait: bool,
}

/// Sees published jobs through.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: drover serve --store s3://bucket/data --broker amqp://user:password@rabbit --listen 0.0.0.0:9090"
)]
pub struct Serve {
    /// Address for health checks and metrics (`/live`, `/ready`, `/metrics`), for example 0.0.0.0:9090 [default: none]
    #[arg(long, env = "DROVER_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Address of the page and of the HTTP API, or `none` [default: 127.0.0.1:7600]
    ///
    /// An address that other machines can reach needs a token, for example `DROVER_TOKEN=… drover serve --http 0.0.0.0:7600`. There
    /// is no TLS: put a reverse proxy before it where the network is not yours.
    #[arg(long, env = "DROVER_HTTP", value_name = "ADDRESS")]
    pub http: Option<Http>,

    /// File with the token that the HTTP API asks for; the variable `DROVER_TOKEN` can hold the token itself
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with a token that is for looking only; the variable `DROVER_READ_TOKEN` can hold the token itself
    #[arg(long, value_name = "FILE")]
    pub read_token_file: Option<PathBuf>,
}

/// Asks a process of Drover's whether it is ready; for health checks of containers that have no other tool.
#[derive(Clone, Debug, clap::Args)]
pub struct Probe {
    /// Where it answers: what it was given as `--listen`
    #[arg(
        env = "DROVER_LISTEN",
        default_value = "127.0.0.1:9090",
        value_name = "ADDRESS"
    )]
    pub address: SocketAddr,
}
