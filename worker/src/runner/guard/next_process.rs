//! The life of the next process of a runner, as its parent sees it: start, watch, end. The guard is the parent of the
//! supervisor, and the supervisor is the parent of the server.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open, set_child_subreaper};

use crate::runner::HIDDEN_ARGUMENT;
use crate::runner::filesystem::{SlotScratch, remove_links};
use crate::runner::frame::{self, RunnerResponse};
use crate::runner::settings::Sandbox;
use crate::runner::spawner::orphans::{self, Reach};

/// How long processes may take to exit after KILL.
pub(super) const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// The command line of the process with a role.
pub(super) fn process(role: &str, sandbox: Sandbox, scratch: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .args([HIDDEN_ARGUMENT, role, sandbox.name()])
        .arg(scratch);
    command
}

/// Makes the current process the next parent of all orphans below it, and starts a process.
pub(super) fn start(mut process: Command) -> Result<Child, String> {
    set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("becoming a subreaper: {error}"))?;
    let started = process.spawn();
    started.map_err(|error| format!("starting the runner: {error}"))
}

/// Waits for the exit of a process of the runner. After an exit of the worker, the process has the time `cleanup`, and is
/// killed then.
pub(super) fn watch(process: Child, cleanup: &Timespec) -> Result<ExitCode, String> {
    exit_of(process, cleanup).map_err(|error| format!("watching the runner: {error}"))
}

fn exit_of(mut process: Child, cleanup: &Timespec) -> io::Result<ExitCode> {
    let pidfd = pidfd_open(Pid::from_child(&process), PidfdFlags::empty())?;
    let requests = io::stdin();
    // The server reads the pipe, so no events are requested here; a hang-up is reported in any case.
    let mut watched = [
        PollFd::new(&pidfd, PollFlags::IN),
        PollFd::new(&requests, PollFlags::empty()),
    ];
    while let Err(rustix::io::Errno::INTR) = poll(&mut watched, None) {}
    if watched[0].revents().is_empty() {
        poll(&mut watched[..1], Some(cleanup))?;
    }
    let _ = process.kill();
    let status = process.wait()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Ends all processes left below the current process.
pub(super) fn end_orphans() {
    let _ = orphans::kill_orphans(Reach::Children, KILL_TIMEOUT);
}

/// Removes the traces of the slot, and returns the exit code; a failure is reported to the worker. The next runner of the
/// slot removes the rest.
pub(super) fn clean_up(
    watched: Result<ExitCode, String>,
    sandbox: Sandbox,
    scratch: &Path,
) -> ExitCode {
    if sandbox == Sandbox::Links {
        remove_links(scratch);
    }
    let _ = SlotScratch::remove(scratch);
    watched.unwrap_or_else(|reason| {
        let _ = frame::write(&mut io::stdout(), &RunnerResponse::Refused(reason));
        ExitCode::FAILURE
    })
}
