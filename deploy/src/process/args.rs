//! Command line and environment of `drover-operator`.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use drover_shared::process::{describe_build, telemetry};
use drover_shared::queue::rabbitmq::BrokerUrl;
use drover_shared::units::duration;

use crate::settings::{Binary, SecretKey, WorkerSettings};

const AFTER_HELP: &str = "\
Exit codes:
  0  asked to stop
  1  it cannot work (any more): no cluster, the address of --listen is taken, the Lease was lost
  2  usage; nothing was done
  4  the store or the broker cannot be reached, or refuses

Credentials: those of the broker in DROVER_BROKER, those of a bucket in AWS_*, GOOGLE_* or AZURE_*.
Workers get theirs from the Secrets named here; the operator reads no Secret.";

/// The text of `--version`. The commit is known to packages, whose build sets the variable.
static BUILD: LazyLock<String> =
    LazyLock::new(|| describe_build(env!("CARGO_PKG_VERSION"), option_env!("DROVER_COMMIT")));

/// Keeps the desired number of Drover workers running for every Pipeline of a namespace.
///
/// Run two replicas for safety: one leads, the other takes over when the leader fails.
#[derive(Debug, Parser)]
#[command(name = "drover-operator", version, long_version = BUILD.as_str(), after_help = AFTER_HELP, max_term_width = 100)]
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

    /// The namespace whose pipelines are reconciled
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", required = true)]
    pub namespace: Option<String>,

    /// The operator's own name, unique among operators [default: host name and process id]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub name: Option<String>,

    /// The Lease for leader election among several operators
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

    /// Settings of workers.
    #[command(flatten)]
    pub workers: WorkerArgs,

    /// Serve /live, /ready and /metrics (Prometheus) at this address, for example 0.0.0.0:8080 [default: nowhere]
    #[arg(
        long,
        env = "DROVER_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Telling"
    )]
    pub listen: Option<SocketAddr>,

    /// Log level on standard error: error, warn, info, debug, or `room=level,…`
    #[arg(
        long,
        env = "DROVER_LOG",
        value_name = "LEVEL",
        default_value = "info",
        help_heading = "Telling"
    )]
    pub log: String,

    /// Log format: text lines, or one JSON object a line
    #[arg(
        long,
        env = "DROVER_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Telling"
    )]
    pub log_format: LogFormat,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum OperatorSubcommand {
    /// Print the definition of the Pipeline resource
    Crd,
}

/// Settings of workers.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Workers")]
pub struct WorkerArgs {
    /// The image from which an init container copies the worker's binary into the pod
    #[arg(long, env = "DROVER_WORKER_IMAGE", value_name = "IMAGE", default_value = concat!("ghcr.io/drover-dev/drover-worker:", env!("CARGO_PKG_VERSION")))]
    pub worker_image: String,

    /// The path of the binary in that image
    #[arg(
        long,
        env = "DROVER_WORKER_COMMAND",
        value_name = "PATH",
        default_value = "/drover-worker"
    )]
    pub worker_command: String,

    /// The path of the worker's binary in the users' own images; no init container is used then
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

    /// When images are pulled [default: decided by Kubernetes]
    #[arg(long, env = "DROVER_PULL_POLICY", value_name = "POLICY")]
    pub pull_policy: Option<PullPolicy>,

    /// Secrets for pulling images, separated by commas
    #[arg(
        long = "image-pull-secret",
        env = "DROVER_IMAGE_PULL_SECRETS",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub image_pull_secrets: Vec<String>,

    /// The Secret and key that hold the broker's URL
    #[arg(long, env = "DROVER_BROKER_SECRET", value_name = "NAME/KEY", default_value = "drover-broker/url", value_parser = secret_key)]
    pub broker_secret: SecretKey,

    /// The Secret whose keys are the variables with the store's credentials: `AWS_ACCESS_KEY_ID` and so on
    #[arg(long, env = "DROVER_STORE_SECRET", value_name = "NAME")]
    pub store_secret: Option<String>,

    /// The claim of a `ReadWriteMany` volume that holds a store in a folder
    #[arg(long, env = "DROVER_STORE_CLAIM", value_name = "NAME")]
    pub store_claim: Option<String>,

    /// Further Secrets that no pipeline may name, separated by commas; the Secrets of the broker, the store and images are
    /// protected anyway
    #[arg(
        long = "protected-secret",
        env = "DROVER_PROTECTED_SECRETS",
        value_name = "NAME",
        default_value = "drover-tokens,drover-notify-keys",
        value_delimiter = ','
    )]
    pub protected_secrets: Vec<String>,

    /// Let pipelines change their pods by `pod_spec` and `pod_patch`, which can make pods privileged and show pods the
    /// files of nodes
    #[arg(
        long,
        env = "DROVER_ALLOW_POD_SPEC",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub allow_pod_spec: bool,

    /// The service account of worker pods, for example for a cloud's workload identity
    #[arg(long, env = "DROVER_WORKER_SERVICE_ACCOUNT", value_name = "NAME")]
    pub worker_service_account: Option<String>,

    /// The numeric user and group of workers, unless a pipeline sets `transform.user`
    #[arg(
        long,
        env = "DROVER_WORKER_USER",
        value_name = "NUMBER",
        default_value = "65532"
    )]
    pub worker_user: u32,

    /// How long a worker may finish running datums after it is asked to stop; at most `datum_timeout`
    #[arg(long, env = "DROVER_DRAIN", value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub drain: Duration,
}

/// When images are pulled.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// For every pod.
    Always,
    /// If the node does not have the image.
    IfNotPresent,
    /// Never; the node must have the image.
    Never,
}

/// Log format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// Text lines.
    Text,
    /// One JSON object a line.
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
    /// The worker settings with this store.
    pub(crate) fn workers(self, store: String) -> WorkerSettings {
        WorkerSettings {
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
            protected_secrets: self.protected_secrets,
            allow_pod_spec: self.allow_pod_spec,
            service_account: given(self.worker_service_account),
            user: self.worker_user,
            drain: self.drain,
        }
    }
}

/// `None` for an empty text: a chart sets every variable, some of them to nothing.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Parses `NAME/KEY`.
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
