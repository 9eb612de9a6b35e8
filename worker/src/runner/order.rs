//! The request to run a command, as the worker sends it to a runner.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One attempt at running a command.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// The inputs that the command finds below `/pfs`.
    pub inputs: Inputs,
    /// The command's argv, not empty; no shell.
    pub argv: Vec<String>,
    /// Environment variables shared by many orders. The worker sends the map to the runner only when it changes.
    #[serde(skip)]
    pub base: Arc<BTreeMap<String, String>>,
    /// Variables of the order, set over `base`. The runner looks the command up in their `PATH`.
    pub env: BTreeMap<String, String>,
    /// The file to read as standard input; `None` means empty.
    pub stdin: Option<PathBuf>,
    /// `name|uid[:group|gid]`.
    pub user: Option<String>,
    /// Working directory, as the command sees it; `None` keeps the directory of the worker.
    pub working_dir: Option<PathBuf>,
    /// Longest time from exec.
    pub timeout: Option<Duration>,
    /// From TERM to KILL; zero kills at once.
    pub grace: Duration,
    /// Contents of `/pfs/.env` for a command that runs datum after datum (`datum_batching`); `None` starts a command
    /// for the datum alone. The runner reuses a running command that was started with the same argv, environment,
    /// input, user and directory.
    pub batch: Option<String>,
    /// The most memory of the slot's control group while the command runs, in bytes; `None` for no limit.
    pub memory_limit: Option<u64>,
    /// Log file for the lines of stdout and stderr, created at the first output. The parent directory must exist.
    pub log: PathBuf,
}

/// The inputs of an attempt. `/pfs/out` is empty at the start of each attempt.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Inputs {
    /// A new datum begins, with these inputs and an empty `/tmp`.
    Fresh(Vec<Mount>),
    /// A retry of the same datum: the original inputs, and `/tmp` as the last attempt left it.
    Same,
}

/// An input of the sandbox.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mount {
    /// A file or directory of the local machine, absolute; of no meaning for an empty directory.
    pub source: PathBuf,
    /// Place relative to `/pfs`: `<input>/<path>`.
    pub target: PathBuf,
    /// File, directory, empty file or directory, or FIFO.
    pub kind: MountKind,
}

/// How an input is shown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MountKind {
    /// A file, read-only.
    File,
    /// A directory with its contents, read-only.
    Dir,
    /// An empty file with the name of the input.
    Empty,
    /// An empty directory.
    EmptyDir,
    /// A FIFO that delivers the bytes of the source to each reader.
    Fifo,
}
