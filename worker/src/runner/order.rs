//! What the worker asks of a runner.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One attempt at running a command.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// What the command finds below `/pfs`.
    pub inputs: Inputs,
    /// The command's argv, not empty; no shell.
    pub argv: Vec<String>,
    /// What many orders have in common of their commands' environment; the runner is told when it is another one.
    #[serde(skip)]
    pub base: Arc<BTreeMap<String, String>>,
    /// The rest of the command's environment, over `base`. `PATH` is where the command is looked for.
    pub env: BTreeMap<String, String>,
    /// The file to read as standard input; none means empty.
    pub stdin: Option<PathBuf>,
    /// `name|uid[:group|gid]`.
    pub user: Option<String>,
    /// Working directory, as the command sees it; none keeps the worker's own.
    pub working_dir: Option<PathBuf>,
    /// Longest time from exec.
    pub timeout: Option<Duration>,
    /// From TERM to KILL; zero kills at once.
    pub grace: Duration,
    /// Given when the command is to stay for datum after datum: what it finds in `/pfs/.env` with this one. It is started
    /// if none is there that was started with the same argv, environment, input, user and directory.
    pub batch: Option<String>,
    /// Where stdout and stderr go, line by line; made only when there is output. Its directory must exist.
    pub log: PathBuf,
}

/// The inputs of an attempt. `/pfs/out` is empty at the start of each.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Inputs {
    /// A new datum begins: its inputs, and an empty `/tmp`.
    Fresh(Vec<Mount>),
    /// The same datum once more: the inputs as they were at first, and `/tmp` as the last attempt left it.
    Same,
}

/// One input of the sandbox: what is shown where.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mount {
    /// A file or directory of this machine, absolute.
    pub source: PathBuf,
    /// Where it appears, relative to `/pfs`: `<input>/<path>`.
    pub target: PathBuf,
    /// How it is shown.
    pub kind: MountKind,
}

/// How an input is shown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MountKind {
    /// A file, read-only.
    File,
    /// A directory with all below it, read-only.
    Dir,
    /// An empty file with the right name.
    Empty,
    /// A FIFO that delivers the source's bytes when it is opened.
    Fifo,
}
