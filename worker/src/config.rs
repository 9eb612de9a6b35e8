//! The settings of a worker.

use std::collections::BTreeMap;
use std::num::{NonZero, NonZeroU16};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use drover_shared::id::WorkerId;
use drover_shared::pipeline::GIVEN_PREFIX;
use drover_shared::trace_parent::TraceParent;

use crate::phase::WorkerPhase;
use crate::runner::{CommandLimits, SandboxMode};

/// The settings of a worker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The id of the worker, unique among all workers.
    pub worker: WorkerId,
    /// Datums processed at the same time.
    pub slots: NonZeroU16,
    /// True if the worker may have a single slot instead, where only that lets commands find their inputs at `/pfs`.
    pub may_have_one_slot: bool,
    /// True if other workers may take messages handed back by the worker.
    pub is_among_others: bool,
    /// Bytes of memory that all commands may hold together; by default as many as are available at the start, less a reserve,
    /// and a command that runs alone may then hold whatever the machine has.
    pub memory: Option<u64>,
    /// Bytes of disk that a datum may fill in scratch; no limit by default.
    pub scratch_limit: Option<u64>,
    /// Datums staged ahead of processing, for each slot.
    pub look_ahead: u16,
    /// Additional messages per slot while datums are short; 0 where messages cost nothing.
    pub further: u16,
    /// Bytes of the cache for inputs that many datums share, beside the scratch directories; 0 for none; by default a tenth of
    /// the file system, 10 GiB at most.
    pub cache_limit: Option<u64>,
    /// Parent of the worker's own scratch directory. On the file system of a folder store nothing needs copying.
    pub scratch: PathBuf,
    /// The sandbox of the commands.
    pub sandbox: SandboxMode,
    /// True if commands keep all capabilities of the worker.
    pub privileged: bool,
    /// Limits of the resources of commands.
    pub limits: CommandLimits,
    /// The binary to run as runner; see [`RunnerSettings::program`](crate::runner::RunnerSettings::program).
    pub runner: PathBuf,
    /// How long a command may take to end after TERM, before KILL.
    pub term_grace: Duration,
    /// Files with credentials that commands must not read, beside the records of the store.
    pub hidden: Vec<PathBuf>,
    /// The variables that commands inherit: [`inheritable`] of the worker's own, as a rule.
    pub environment: BTreeMap<String, String>,
    /// Name of the worker's pod, for `PPS_POD_NAME`.
    pub pod: Option<String>,
    /// The namespace of that pod, for `PPS_NAMESPACE`.
    pub namespace: Option<String>,
    /// Shared with the health probe.
    pub phase: WorkerPhase,
    /// How long a worker that is thought dead may take to reconnect, before a datum is blamed for its death.
    pub death_grace: Duration,
    /// How long a segment of the manifest may be missing: longer than a network file system keeps a stale listing.
    pub late_segment_wait: Duration,
    /// How long store, broker or machine may fail without a success before the worker gives up.
    pub retry_budget: Duration,
}

impl Settings {
    /// Default settings for a worker with `slots` slots and a scratch directory below `scratch`.
    pub fn new(worker: WorkerId, slots: NonZeroU16, scratch: PathBuf) -> Self {
        Self {
            worker,
            slots,
            may_have_one_slot: false,
            is_among_others: false,
            memory: None,
            scratch_limit: None,
            look_ahead: 2,
            further: 0,
            cache_limit: None,
            scratch,
            sandbox: SandboxMode::Auto,
            privileged: false,
            limits: CommandLimits::default(),
            runner: PathBuf::from("/proc/self/exe"),
            term_grace: Duration::from_secs(5),
            hidden: Vec::new(),
            environment: inheritable(std::env::vars_os()),
            pod: None,
            namespace: None,
            phase: WorkerPhase::default(),
            death_grace: Duration::from_secs(10),
            late_segment_wait: Duration::from_secs(90),
            retry_budget: Duration::from_mins(1),
        }
    }
}

/// A slot for each CPU available to the process.
pub fn one_slot_a_cpu() -> NonZeroU16 {
    let cpus = available_parallelism().map_or(1, NonZero::get);
    NonZeroU16::new(u16::try_from(cpus).unwrap_or(u16::MAX)).unwrap_or(NonZeroU16::MIN)
}

/// Prefixes of variables that hold credentials of the broker, the store or the trace collector.
const OURS: [&str; 7] = [
    "DROVER_",
    "AWS_",
    "GOOGLE_",
    "AZURE_",
    "AMQP_",
    "RABBITMQ_",
    "OTEL_",
];

/// The trace context of the worker's own start, which has nothing to do with the datums of its jobs.
const FOREIGN_TRACE: [&str; 2] = [TraceParent::VARIABLE, "TRACESTATE"];

/// The variables that a user's command inherits. Variables with credentials of the broker or the store are left out (a
/// command gets its own by `transform.env` or `secrets`), and so are the worker's own trace context and everything that is not UTF-8. A variable with the
/// prefix [`GIVEN_PREFIX`] is inherited without the prefix, and replaces another variable of that name.
pub fn inheritable(
    variables: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let (given, own): (Vec<_>, Vec<_>) = variables
        .into_iter()
        .filter_map(text)
        .partition(|(name, _)| name.starts_with(GIVEN_PREFIX));
    let is_ours = |name: &str| {
        let name = name.to_ascii_uppercase();
        OURS.iter().any(|ours| name.starts_with(ours)) || FOREIGN_TRACE.contains(&name.as_str())
    };
    let mut inherited: BTreeMap<_, _> =
        own.into_iter().filter(|(name, _)| !is_ours(name)).collect();
    let bare = |(name, value): (String, String)| (name[GIVEN_PREFIX.len()..].to_owned(), value);
    inherited.extend(given.into_iter().map(bare));
    inherited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_broker_and_store_are_not_inherited() {
        let rows = [
            ("PATH", true),
            ("HOME", true),
            ("LANG", true),
            ("HTTPS_PROXY", true),
            ("DROVER_BROKER", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("aws_access_key_id", false),
            ("GOOGLE_SERVICE_ACCOUNT", false),
            ("AZURE_STORAGE_ACCOUNT_KEY", false),
            ("OTEL_EXPORTER_OTLP_HEADERS", false),
            ("DROVERS", true),
            ("TRACEPARENT", false),
            ("TRACESTATE", false),
        ];
        for (name, expected) in rows {
            let inherited = inheritable([(name.into(), "value".into())]);
            assert_eq!(inherited.contains_key(name), expected, "{name}");
        }
    }

    #[test]
    fn variables_given_to_commands_are_inherited_whatever_their_names() {
        let variables = [
            ("DROVER_GIVEN_AWS_ACCESS_KEY_ID", "the command's"),
            ("AWS_ACCESS_KEY_ID", "the store's"),
            ("DROVER_GIVEN_HOME", "/home/ana"),
            ("HOME", "/"),
        ];
        let inherited = inheritable(variables.map(|(name, value)| (name.into(), value.into())));
        let expected = [
            ("AWS_ACCESS_KEY_ID", "the command's"),
            ("HOME", "/home/ana"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(inherited, BTreeMap::from(expected));
    }
}
