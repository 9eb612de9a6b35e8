//! How a runner is set up, and which sandbox came of it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a slot's runner is started with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RunnerSettings {
    /// The binary to re-execute; its `main` must call [`take_over`](super::take_over) first.
    pub program: PathBuf,
    /// Directory of this slot alone, absolute, on the file system of a local store; made if missing, gone when the runner is.
    pub scratch: PathBuf,
    /// Which sandbox to try.
    pub mode: SandboxMode,
    /// Whether no other slot of this machine may want `/pfs`: only then are links put there.
    pub only_slot: bool,
    /// Directories that commands must be able to reach even below `/tmp`: the store, for example.
    pub reachable: Vec<PathBuf>,
    /// Largest log of an attempt in bytes; past it the middle is dropped.
    pub log_limit: u64,
    /// How long a command that stays for datum after datum is kept while none comes: it may have had the last one.
    pub idle: Duration,
    /// The umask of commands; none keeps the one that the runner is started with.
    pub umask: Option<u32>,
}

impl RunnerSettings {
    /// The usual settings: this very binary, the best sandbox there is, logs up to 1 GiB, half a minute of idleness.
    pub fn new(scratch: impl Into<PathBuf>) -> Self {
        Self {
            program: PathBuf::from("/proc/self/exe"),
            scratch: scratch.into(),
            mode: SandboxMode::Auto,
            only_slot: false,
            reachable: Vec::new(),
            log_limit: 1 << 30,
            idle: Duration::from_secs(30),
            umask: None,
        }
    }
}

/// Which sandbox to try.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum SandboxMode {
    /// The best one that this machine allows.
    #[default]
    Auto,
    /// Namespaces, or fail.
    Namespaces,
    /// A mount namespace without a PID namespace, or fail.
    Mounts,
    /// Links at an existing, writable `/pfs`, or fail.
    Links,
    /// Environment variables only.
    None,
}

impl SandboxMode {
    /// The sandboxes to try, best first.
    pub(super) fn candidates(self, only_slot: bool) -> Vec<Sandbox> {
        match self {
            Self::Auto if only_slot => vec![
                Sandbox::Namespaces,
                Sandbox::Mounts,
                Sandbox::Links,
                Sandbox::Environment,
            ],
            Self::Auto => vec![Sandbox::Namespaces, Sandbox::Mounts, Sandbox::Environment],
            Self::Namespaces => vec![Sandbox::Namespaces, Sandbox::Mounts],
            Self::Mounts => vec![Sandbox::Mounts],
            Self::Links => vec![Sandbox::Links],
            Self::None => vec![Sandbox::Environment],
        }
    }
}

/// The sandboxes, best first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// Own mounts and own process ids: `/pfs` and `/tmp` are the datum's alone, and nothing it starts survives it.
    Namespaces,
    /// Own mounts; processes left behind are found by sweeping.
    Mounts,
    /// Links at the machine's `/pfs`, inputs copied; `/tmp` is the machine's.
    Links,
    /// Inputs copied into scratch, which `PFS` points at; nothing at `/pfs`.
    Environment,
}

impl Sandbox {
    /// The name it is known by on the runner's command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Mounts => "mounts",
            Self::Links => "links",
            Self::Environment => "environment",
        }
    }

    /// The sandbox of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [
            Self::Namespaces,
            Self::Mounts,
            Self::Links,
            Self::Environment,
        ]
        .into_iter()
        .find(|it| it.name() == name)
    }
}
