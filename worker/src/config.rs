//! What a worker is told once, at its start.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use drover_shared::id::WorkerId;
use drover_shared::pipeline::GIVEN;

use crate::phase::WorkerPhase;
use crate::runner::SandboxMode;

/// The settings of a worker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who it is.
    pub worker: WorkerId,
    /// Datums processed at the same time.
    pub slots: NonZeroU16,
    /// Datums staged ahead of processing, for each slot.
    pub look_ahead: u16,
    /// Messages held beyond those for each slot, while datums are short; 0 where a message costs nothing anyway.
    pub further: u16,
    /// Directory under which it makes one of its own; on the file system of a local store, so that nothing needs
    /// copying.
    pub scratch: PathBuf,
    /// Which sandbox commands run in.
    pub sandbox: SandboxMode,
    /// The binary to run as runner; see [`RunnerSettings::program`](crate::runner::RunnerSettings::program).
    pub runner: PathBuf,
    /// How long a command may take to end after TERM, before KILL.
    pub term_grace: Duration,
    /// The variables that commands inherit: [`inheritable`] of the worker's own, as a rule.
    pub environment: BTreeMap<String, String>,
    /// The pod it runs in, if any, for `PPS_POD_NAME`.
    pub pod: Option<String>,
    /// The namespace of that pod, for `PPS_NAMESPACE`.
    pub namespace: Option<String>,
    /// What it is about, for whoever asks.
    pub phase: WorkerPhase,
    /// How long the store or this machine may fail without a pause before the worker gives up.
    pub patience: Duration,
}

impl Settings {
    /// The usual settings for a worker with so many slots, and a scratch directory under `scratch`.
    pub fn new(worker: WorkerId, slots: NonZeroU16, scratch: PathBuf) -> Self {
        Self {
            worker,
            slots,
            look_ahead: 2,
            further: 0,
            scratch,
            sandbox: SandboxMode::Auto,
            runner: PathBuf::from("/proc/self/exe"),
            term_grace: Duration::from_secs(5),
            environment: inheritable(std::env::vars_os()),
            pod: None,
            namespace: None,
            phase: WorkerPhase::default(),
            patience: Duration::from_mins(1),
        }
    }
}

/// Beginnings of names that hold the broker's or the store's credentials.
const OURS: [&str; 6] = ["DROVER_", "AWS_", "GOOGLE_", "AZURE_", "AMQP_", "RABBITMQ_"];

/// The variables that a user's command may inherit: not those that hold credentials of the broker or the store (a
/// command that needs some gets them by `transform.env` or `secrets`), and only what is UTF-8. Those that are
/// [given](GIVEN) to commands are inherited under the names that commands know them by, over others of these names.
pub fn inheritable(
    variables: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let (given, own): (Vec<_>, Vec<_>) = variables
        .into_iter()
        .filter_map(text)
        .partition(|(name, _)| name.starts_with(GIVEN));
    let is_ours = |name: &str| {
        let name = name.to_ascii_uppercase();
        OURS.iter().any(|ours| name.starts_with(ours))
    };
    let mut inherited: BTreeMap<_, _> =
        own.into_iter().filter(|(name, _)| !is_ours(name)).collect();
    let bare = |(name, value): (String, String)| (name[GIVEN.len()..].to_owned(), value);
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
            ("DROVERS", true),
        ];
        for (name, expected) in rows {
            let inherited = inheritable([(name.into(), "value".into())]);
            assert_eq!(inherited.contains_key(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_given_to_commands_reaches_them_whatever_it_is_called() {
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
