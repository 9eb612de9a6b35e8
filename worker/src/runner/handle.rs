//! The worker's end: starts a runner, sends orders, waits for their results.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::filesystem::{EMPTY, NEXT_DATUM_DIRECTORY, link_files};
use super::frame::{self, RunnerRequest, RunnerResponse};
use super::{
    Execution, GroupUsage, HIDDEN_ARGUMENT, Inputs, Mount, MountKind, Order, Protection,
    RunnerError, RunnerSettings, Sandbox,
};

/// How long a runner may take to exit after its pipe was closed.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A runner process. Dropping the handle kills the runner and its command.
#[derive(Debug)]
pub struct Runner {
    process: Child,
    requests: ChildStdin,
    responses: BufReader<ChildStdout>,
    sandbox: Sandbox,
    refused: Vec<String>,
    protection: Protection,
    pfs: PathBuf,
    tmp: PathBuf,
    /// Entries of `tmp` that belong to the machine.
    kept: Vec<PathBuf>,
    group: Option<GroupUsage>,
    scratch: PathBuf,
    max_file_mounts: usize,
    datum: Option<Vec<Mount>>,
    /// The base that was last sent to the runner.
    base: Arc<BTreeMap<String, String>>,
    busy: bool,
}

impl Runner {
    /// Starts a runner in the best sandbox that `settings` permit and the local machine allows.
    pub async fn start(settings: &RunnerSettings) -> Result<Self, RunnerError> {
        let mut refused = Vec::new();
        for sandbox in settings.mode.candidates(settings.only_slot) {
            match Self::try_start(settings, sandbox).await? {
                Ok(runner) => return Ok(Self { refused, ..runner }),
                Err(reason) => refused.push(format!("{}: {reason}", sandbox.name())),
            }
        }
        Err(RunnerError::NoSandbox { reasons: refused })
    }

    /// The runner, or why the sandbox cannot be set up.
    async fn try_start(
        settings: &RunnerSettings,
        sandbox: Sandbox,
    ) -> Result<Result<Self, String>, RunnerError> {
        let mut process = spawn(settings, sandbox)?;
        let (Some(mut requests), Some(responses)) = (process.stdin.take(), process.stdout.take())
        else {
            return Err(RunnerError::Died { status: None });
        };
        let mut responses = BufReader::new(responses);
        send(
            &mut requests,
            &RunnerRequest::Setup(Cow::Borrowed(settings)),
        )
        .await?;
        match answer(&mut process, &mut responses).await? {
            RunnerResponse::Ready {
                pfs,
                tmp,
                protection,
                kept,
                group,
            } => Ok(Ok(Self {
                group: GroupUsage::find(&group),
                process,
                requests,
                responses,
                sandbox,
                refused: Vec::new(),
                protection,
                pfs,
                kept: kept.iter().map(|name| tmp.join(name)).collect(),
                tmp,
                scratch: settings.scratch.clone(),
                max_file_mounts: settings.max_file_mounts,
                datum: None,
                base: Arc::default(),
                busy: false,
            })),
            RunnerResponse::Refused(reason) => {
                // The runner removes its scratch directory before its exit; the next runner needs the directory.
                drop(requests);
                wait_for_exit(process).await;
                Ok(Err(reason))
            }
            RunnerResponse::Ended(_) | RunnerResponse::Unfit(_) => Err(unexpected_response()),
        }
    }

    /// The sandbox in force.
    pub fn sandbox(&self) -> Sandbox {
        self.sandbox
    }

    /// Why a better sandbox could not be set up: a line for each sandbox that was tried.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// The protection in force.
    pub fn protection(&self) -> &Protection {
        &self.protection
    }

    /// Where commands see their inputs and `out`: `/pfs`, or a directory in scratch.
    pub fn pfs(&self) -> &Path {
        &self.pfs
    }

    /// Where commands have private temporary files: `/tmp`, or a directory in scratch.
    pub fn tmp(&self) -> &Path {
        &self.tmp
    }

    /// The number of the first process of the runner, an ancestor of all others.
    pub(crate) fn ancestor(&self) -> Option<u32> {
        self.process.id()
    }

    /// The memory of the slot's control group, if there is a group that counts memory.
    pub(crate) fn group(&self) -> Option<&GroupUsage> {
        self.group.as_ref()
    }

    /// The directory where a `datum_batching` command finds `next-datum`, and the value of
    /// [`NEXT_DATUM`](super::NEXT_DATUM) in its environment.
    pub fn next_datum(&self) -> PathBuf {
        self.tmp.join(NEXT_DATUM_DIRECTORY)
    }

    /// The directory behind `/pfs/out` on the machine.
    pub fn out(&self) -> PathBuf {
        self.scratch.join("out")
    }

    /// The lasting directories of the slot.
    pub fn directories(&self) -> Vec<PathBuf> {
        match self.sandbox {
            // Commands cannot remove the mount points of these.
            Sandbox::Namespaces | Sandbox::Mounts => vec![self.out(), self.scratch.join("tmp")],
            Sandbox::Links | Sandbox::Environment => vec![self.scratch.clone()],
        }
    }

    /// The file of the local machine behind `inside`, a path below `/pfs`.
    pub fn resolve(&self, inside: &Path) -> Option<PathBuf> {
        let inside = without_dots(inside)?;
        let below = |directory: &Path| inside.strip_prefix(directory).ok();
        if let Some(file) = below(&self.pfs.join("out")).or_else(|| below(&self.out())) {
            return Some(self.out().join(file));
        }
        if let Some(file) = below(&self.pfs).or_else(|| below(&self.scratch.join("pfs"))) {
            let reached = |mounts: &[Mount]| {
                let mut paths = mounts
                    .iter()
                    .map(|mount| mount.host_path(file, &self.scratch));
                paths.find_map(|path| path)
            };
            let mounts = self.datum.as_deref().unwrap_or_default();
            return reached(mounts).or_else(|| {
                let linked = mounts.len() > self.max_file_mounts;
                linked.then(|| reached(&link_files(mounts).0))?
            });
        }
        if self.kept.iter().any(|kept| inside.starts_with(kept)) {
            return None;
        }
        below(&self.tmp).map(|file| self.scratch.join("tmp").join(file))
    }

    /// Runs a command to its end. When `cancel` is cancelled, the command gets TERM, and KILL after the order's grace.
    ///
    /// Not cancel-safe: a runner whose `run` was abandoned is of no use any more, and dropping it kills the command.
    pub async fn run(
        &mut self,
        order: &Order,
        cancel: &CancellationToken,
    ) -> Result<Execution, RunnerError> {
        self.run_unless(order, cancel, &CancellationToken::new())
            .await
    }

    /// Like [`run`](Self::run); when `kill` is cancelled, the command gets KILL at once.
    pub(crate) async fn run_unless(
        &mut self,
        order: &Order,
        cancel: &CancellationToken,
        kill: &CancellationToken,
    ) -> Result<Execution, RunnerError> {
        if self.busy {
            return Err(RunnerError::Busy);
        }
        match &order.inputs {
            Inputs::Fresh(mounts) => self.datum = Some(mounts.clone()),
            Inputs::Same if self.datum.is_none() => return Err(RunnerError::NothingToRepeat),
            Inputs::Same => {}
        }
        self.busy = true;
        let execution = self.exchange(order, cancel, kill).await?;
        self.busy = false;
        Ok(execution)
    }

    async fn exchange(
        &mut self,
        order: &Order,
        cancel: &CancellationToken,
        kill: &CancellationToken,
    ) -> Result<Execution, RunnerError> {
        if !Arc::ptr_eq(&self.base, &order.base) {
            let base = RunnerRequest::Base(Cow::Borrowed(&order.base));
            send(&mut self.requests, &base).await?;
            self.base = Arc::clone(&order.base);
        }
        send(
            &mut self.requests,
            &RunnerRequest::Run(Cow::Borrowed(order)),
        )
        .await?;
        let ended = answer(&mut self.process, &mut self.responses);
        tokio::pin!(ended);
        let (mut is_cancelled, mut is_killed) = (false, false);
        let response = loop {
            let request = tokio::select! {
                response = &mut ended => break response?,
                () = kill.cancelled(), if !is_killed => {
                    is_killed = true;
                    RunnerRequest::Kill
                }
                () = cancel.cancelled(), if !is_cancelled => {
                    is_cancelled = true;
                    RunnerRequest::Cancel
                }
            };
            send(&mut self.requests, &request).await?;
        };
        match response {
            RunnerResponse::Ended(execution) => Ok(*execution),
            RunnerResponse::Ready { .. }
            | RunnerResponse::Refused(_)
            | RunnerResponse::Unfit(_) => Err(unexpected_response()),
        }
    }

    /// Ends the runner with its command, and waits for the exit.
    pub async fn end(self) {
        let Self {
            process, requests, ..
        } = self;
        drop(requests);
        wait_for_exit(process).await;
    }
}

impl Mount {
    /// The file of the local machine behind `inside`, a path below `/pfs`.
    fn host_path(&self, inside: &Path, scratch: &Path) -> Option<PathBuf> {
        let below = inside.strip_prefix(&self.target).ok()?;
        match self.kind {
            MountKind::Dir => Some(self.source.join(below)),
            MountKind::File | MountKind::Fifo if below.as_os_str().is_empty() => {
                Some(self.source.clone())
            }
            MountKind::Empty if below.as_os_str().is_empty() => Some(scratch.join(EMPTY)),
            MountKind::File | MountKind::Fifo | MountKind::Empty | MountKind::EmptyDir => None,
        }
    }
}

fn spawn(settings: &RunnerSettings, sandbox: Sandbox) -> Result<Child, RunnerError> {
    Command::new(&settings.program)
        .arg0("drover-runner")
        .args([HIDDEN_ARGUMENT, "guard", sandbox.name()])
        .arg(&settings.scratch)
        // Commands could read them; the variables of a command come with each order.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| RunnerError::Spawn {
            program: settings.program.display().to_string(),
            source,
        })
}

/// Waits for the exit of a runner whose pipe is closed; kills the runner at the timeout.
async fn wait_for_exit(mut process: Child) {
    if timeout(END_TIMEOUT, process.wait()).await.is_err() {
        let _ = process.kill().await;
    }
}

/// Sends a message. A runner that has exited cannot be written to; its exit is then reported by [`answer`], with the
/// reason.
async fn send(to: &mut ChildStdin, request: &RunnerRequest<'_>) -> Result<(), RunnerError> {
    match frame::send(to, request).await {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        sent => sent.map_err(|source| RunnerError::Protocol { source }),
    }
}

async fn answer(
    process: &mut Child,
    from: &mut BufReader<ChildStdout>,
) -> Result<RunnerResponse, RunnerError> {
    match frame::receive(from).await {
        Ok(Some(RunnerResponse::Unfit(reason))) => {
            // The runner removes its scratch directory before its exit; the next runner needs the directory.
            let _ = timeout(END_TIMEOUT, process.wait()).await;
            Err(RunnerError::Unfit { reason })
        }
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err(RunnerError::Died {
            status: timeout(END_TIMEOUT, process.wait())
                .await
                .ok()
                .and_then(Result::ok),
        }),
        Err(source) => Err(RunnerError::Protocol { source }),
    }
}

fn unexpected_response() -> RunnerError {
    RunnerError::Protocol {
        source: io::Error::other("unexpected response"),
    }
}

/// The absolute path with `.` and `..` resolved lexically.
fn without_dots(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean.is_absolute().then_some(clean)
}
