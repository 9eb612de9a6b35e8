//! Settings of a runner and the available sandboxes.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings for the runner of one slot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RunnerSettings {
    /// The binary to re-execute; its `main` must call [`take_over`](super::take_over) first.
    pub program: PathBuf,
    /// Directory of the slot alone, absolute, on the file system of a local store. The runner creates the directory
    /// and removes it at its end.
    pub scratch: PathBuf,
    /// The sandbox to set up.
    pub mode: SandboxMode,
    /// True if the worker has a single slot. Links at `/pfs` are possible only then.
    pub only_slot: bool,
    /// Directories that commands must be able to reach even below `/tmp`, such as the store.
    pub reachable: Vec<PathBuf>,
    /// Directories and files of Drover's own that commands must not reach: `.drover` of a local store, for example.
    pub hidden: Vec<PathBuf>,
    /// True if commands keep all capabilities of the worker.
    pub privileged: bool,
    /// Limits of the resources of commands.
    pub limits: CommandLimits,
    /// Most files that are mounted singly for a datum; more are links into read-only mounts of their directories.
    /// The kernel's limit of mounts is `fs.mount-max`, 100,000 by default.
    pub max_file_mounts: usize,
    /// Largest log of an attempt in bytes; the middle of a longer log is dropped.
    pub log_limit: u64,
    /// How long a `datum_batching` command is kept while no datum arrives.
    pub idle: Duration,
    /// The umask of commands; `None` keeps the umask of the runner's parent.
    pub umask: Option<u32>,
}

impl RunnerSettings {
    /// Defaults: this binary, the best sandbox available, logs up to 1 GiB, 30 s of idle time.
    pub fn new(scratch: impl Into<PathBuf>) -> Self {
        Self {
            program: PathBuf::from("/proc/self/exe"),
            scratch: scratch.into(),
            mode: SandboxMode::Auto,
            only_slot: false,
            reachable: Vec::new(),
            hidden: Vec::new(),
            privileged: false,
            limits: CommandLimits::default(),
            max_file_mounts: 50_000,
            log_limit: 1 << 30,
            idle: Duration::from_secs(30),
            umask: None,
        }
    }
}

/// Limits of the commands of a slot. Commands leave no core dumps, whatever the limits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CommandLimits {
    /// Files that a process has open at the same time. A lower hard limit of the worker stays.
    pub open_files: u32,
    /// Processes and threads: of the slot, where the worker can make a control group with a limit; elsewhere of the
    /// command's user on the machine, and root's are not limited.
    pub processes: u32,
}

impl CommandLimits {
    /// Fewest open files to allow: programs need descriptors to start.
    pub const LEAST_OPEN_FILES: u32 = 64;
    /// Fewest processes that may be allowed: a pipe of a few programs.
    pub const LEAST_PROCESSES: u32 = 16;
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self {
            open_files: 65_536,
            processes: 32_768,
        }
    }
}

/// The sandbox to set up.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum SandboxMode {
    /// The best sandbox that the local machine allows.
    #[default]
    Auto,
    /// Namespaces, dropped capabilities and a Landlock domain with all scopes, or fail.
    Strict,
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
            Self::Strict => vec![Sandbox::Namespaces],
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
    /// A mount and a PID namespace: `/pfs` and `/tmp` belong to the datum alone, and all processes of a command die
    /// with it.
    Namespaces,
    /// A mount namespace without a PID namespace; orphaned processes are found through the subreaper.
    Mounts,
    /// Links in the machine's `/pfs` to copies of the inputs; `/tmp` is the machine's.
    Links,
    /// Copies of the inputs in scratch, where the variable `PFS` points; nothing at `/pfs`.
    Environment,
}

impl Sandbox {
    /// The name of the sandbox, as on the runner's command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Mounts => "mounts",
            Self::Links => "links",
            Self::Environment => "environment",
        }
    }

    /// The sandbox with the name.
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
