//! The runner: a small, single-threaded, long-lived process for each slot, that gives each datum its own
//! `/pfs` and `/tmp`, spawns the user's command with `posix_spawn`, keeps its output, and leaves nothing behind.
//!
//! It is the worker's own binary, re-executed; it speaks with the worker over a pair of pipes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// One attempt at running a command.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// The command's argv, not empty; no shell.
    pub argv: Vec<String>,
    /// The command's whole environment.
    pub env: BTreeMap<String, String>,
    /// The file to read as standard input; none means empty.
    pub stdin: Option<PathBuf>,
    /// `name|uid[:group|gid]`.
    pub user: Option<String>,
    /// Working directory; none keeps the worker's own.
    pub working_dir: Option<PathBuf>,
    /// Longest time from exec.
    pub timeout: Option<Duration>,
    /// From TERM to KILL.
    pub grace: Duration,
    /// Where stdout and stderr go, line by line; made only when there is output.
    pub log: PathBuf,
}
