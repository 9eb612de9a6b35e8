//! The command line of `drover-operator` as typed, and its environment.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use drover_shared::process::telemetry;
use drover_shared::queue::rabbitmq::BrokerUrl;
use drover_shared::units::duration;

use crate::settings::{Binary, SecretKey, Workers};

const AFTER_HELP: &str = "\
Exit codes:
  0  asked to stop
  1  it cannot work (any more): no cluster, the address of --listen is taken, the Lease was lost
  2  usage; nothing was done
  4  the store or the broker cannot be reached, or refuses

Credentials: those of the broker in DROVER_BROKER, those of a bucket in AWS_*, GOOGLE_* or AZURE_*.
Workers get theirs from the Secrets named here; the operator reads no Secret.";

/// Keeps the right number of Drover workers alive for every Pipeline of a namespace.
///
/// Start two, for safety: one is at work, the other takes over.
#[derive(Debug, Parser)]
#[command(name = "drover-operator", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// A subcommand instead.
    #[command(subcommand)]
    pub subcommand: Option<OperatorSubcommand>,

    /// The folder or bucket that holds the inputs, the outputs and Drover's records
    ///
    /// For a folder: the path at which --store-claim is mounted, here and in every worker.
    #[arg(long, env = "DROVER_STORE", value_name = "DIR|URL", required = true)]
    pub store: Option<String>,

    /// The broker, a `RabbitMQ`: amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS
    #[arg(
        long,
        env = "DROVER_BROKER",
        hide_env_values = true,
        value_name = "URL",
        required = true
    )]
    pub broker: Option<BrokerUrl>,

    /// The namespace whose pipelines it tends
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", required = true)]
    pub namespace: Option<String>,

    /// Its own name, unique among operators [default: the machine's name and the process's number]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub name: Option<String>,

    /// The Lease that says which of several operators is at work
    #[arg(
        long,
        env = "DROVER_LEASE",
        value_name = "NAME",
        default_value = "drover-operator"
    )]
    pub lease: String,

    /// How long to try to reach store and broker at the start, for example 30s or 5m
    #[arg(long, env = "DROVER_CONNECT_TIMEOUT", value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub connect_timeout: Duration,

    /// How workers are run.
    #[command(flatten)]
    pub workers: WorkerArgs,

    /// Answer /live, /ready and /metrics (Prometheus) at this address, for example 0.0.0.0:8080 [default: nowhere]
    #[arg(
        long,
        env = "DROVER_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Telling"
    )]
    pub listen: Option<SocketAddr>,

    /// What is told on standard error: error, warn, info, debug, or `room=level,…`
    #[arg(
        long,
        env = "DROVER_LOG",
        value_name = "LEVEL",
        default_value = "info",
        help_heading = "Telling"
    )]
    pub log: String,

    /// How it is told: lines for people, or a JSON object a line
    #[arg(
        long,
        env = "DROVER_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Telling"
    )]
    pub log_format: LogFormat,
}

/// What the binary does instead of working.
#[derive(Debug, Subcommand)]
pub enum OperatorSubcommand {
    /// Print the definition of the Pipeline resource
    Crd,
}

/// How workers are run.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Workers")]
pub struct WorkerArgs {
    /// The image from which an init container puts the worker's binary into the user's image
    #[arg(long, env = "DROVER_WORKER_IMAGE", value_name = "IMAGE", default_value = concat!("ghcr.io/drover-dev/drover-worker:", env!("CARGO_PKG_VERSION")))]
    pub worker_image: String,

    /// The binary in that image
    #[arg(
        long,
        env = "DROVER_WORKER_COMMAND",
        value_name = "PATH",
        default_value = "/drover-worker"
    )]
    pub worker_command: String,

    /// The worker's binary in the users' images themselves; then there is no init container
    #[arg(long, env = "DROVER_WORKER_PATH", value_name = "PATH")]
    pub worker_path: Option<String>,

    /// The image of pipelines that name none
    #[arg(
        long,
        env = "DROVER_DEFAULT_IMAGE",
        value_name = "IMAGE",
        default_value = "debian:bookworm-slim"
    )]
    pub default_image: String,

    /// When images are pulled [default: as Kubernetes has it]
    #[arg(long, env = "DROVER_PULL_POLICY", value_name = "POLICY")]
    pub pull_policy: Option<PullPolicy>,

    /// Secrets with which images are pulled, with commas
    #[arg(
        long = "image-pull-secret",
        env = "DROVER_IMAGE_PULL_SECRETS",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub image_pull_secrets: Vec<String>,

    /// The Secret that holds the broker's URL, and the key in it
    #[arg(long, env = "DROVER_BROKER_SECRET", value_name = "NAME/KEY", default_value = "drover-broker/url", value_parser = secret_key)]
    pub broker_secret: SecretKey,

    /// The Secret whose keys are the variables with the store's credentials: `AWS_ACCESS_KEY_ID` and so on
    #[arg(long, env = "DROVER_STORE_SECRET", value_name = "NAME")]
    pub store_secret: Option<String>,

    /// The claim on a volume, for all to read and write, that holds a store in a folder
    #[arg(long, env = "DROVER_STORE_CLAIM", value_name = "NAME")]
    pub store_claim: Option<String>,

    /// The service account of worker pods, as for a cloud's own identities
    #[arg(long, env = "DROVER_WORKER_SERVICE_ACCOUNT", value_name = "NAME")]
    pub worker_service_account: Option<String>,

    /// Who workers run as, by number, user and group, where a pipeline does not say
    #[arg(
        long,
        env = "DROVER_WORKER_USER",
        value_name = "NUMBER",
        default_value = "65532"
    )]
    pub worker_user: u32,

    /// How long a worker that is asked to stop may finish what it runs; less where `datum_timeout` is less
    #[arg(long, env = "DROVER_DRAIN", value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub drain: Duration,
}

/// When images are pulled.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// For every pod.
    Always,
    /// Where it is not there yet.
    IfNotPresent,
    /// Never: it must be there.
    Never,
}

/// How events are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line, for machines.
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

impl WorkerArgs {
    /// What is meant, with this store.
    pub(crate) fn workers(self, store: String) -> Workers {
        Workers {
            binary: match given(self.worker_path) {
                Some(path) => Binary::Path(path),
                None => Binary::Image {
                    image: self.worker_image,
                    command: self.worker_command,
                },
            },
            default_image: self.default_image,
            pull_policy: self.pull_policy.map(|policy| format!("{policy:?}")),
            image_pull_secrets: {
                let mut secrets = self.image_pull_secrets;
                secrets.retain(|name| !name.is_empty());
                secrets
            },
            store,
            store_claim: given(self.store_claim),
            store_secret: given(self.store_secret),
            broker_secret: self.broker_secret,
            service_account: given(self.worker_service_account),
            user: self.worker_user,
            drain: self.drain,
        }
    }
}

/// Nothing, where a text is empty: a chart sets all variables, some of them to nothing.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A key in a Secret, as `NAME/KEY`.
fn secret_key(text: &str) -> Result<SecretKey, String> {
    match text.split_once('/') {
        Some((name, key)) if !name.is_empty() && !key.is_empty() => Ok(SecretKey {
            name: name.to_owned(),
            key: key.to_owned(),
        }),
        _ => Err("write the Secret and the key in it, for example drover-broker/url".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(typed: &str) -> Result<Args, clap::Error> {
        let line = format!("drover-operator {typed}");
        Args::try_parse_from(line.trim_end().split(' '))
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_help_tells_all() {
        let mut command = Args::command()
            .term_width(100)
            .mut_args(|argument| argument.hide_env_values(true));
        insta::assert_snapshot!("help", command.render_long_help());
    }

    #[test]
    fn a_password_is_never_shown() {
        let args = parse("--store s3://x --namespace n --broker amqp://me:hunter2@host").unwrap();
        assert!(!format!("{args:?}").contains("hunter2"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let rows = [
            ("", "--store"),
            ("--store s --broker b", "--namespace"),
            (
                "--store s --broker b --namespace n --broker-secret x",
                "drover-broker/url",
            ),
            (
                "--store s --broker b --namespace n --pull-policy Sometimes",
                "IfNotPresent",
            ),
            ("--store s --broker b --namespace n --drain 10", "5m"),
        ];
        for (typed, word) in rows {
            let text = parse(typed).unwrap_err().to_string();
            assert!(text.contains(word), "{typed}: {text}");
        }
        assert!(matches!(
            parse("crd").unwrap().subcommand,
            Some(OperatorSubcommand::Crd)
        ));
    }
}
