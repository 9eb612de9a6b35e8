//! Runner guard, the first process of a runner. Starts the supervisor and waits for its end, whatever the cause, and then
//! ends every process that is left of the slot. A command that kills the supervisor, the server and the spawner is thereby
//! survived by nobody: the guard is an ancestor of all and the next parent of orphans.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open, set_child_subreaper, setsid};

use crate::runner::HIDDEN_ARGUMENT;
use crate::runner::control_group::ControlGroup;
use crate::runner::filesystem::{SlotScratch, remove_links};
use crate::runner::frame::{self, RunnerResponse};
use crate::runner::settings::Sandbox;
use crate::runner::spawner::orphans::{self, Reach};

/// How long the supervisor may take to end everything after the exit of the worker; longer than the supervisor gives the
/// server.
const CLEANUP_TIMEOUT: Timespec = Timespec {
    tv_sec: 12,
    tv_nsec: 0,
};

/// How long processes may take to exit after KILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Guards a slot until its supervisor or the worker exits.
pub(in crate::runner) fn guard(sandbox: Sandbox, scratch: &Path) -> ExitCode {
    // A new session: no Ctrl-C from the terminal, and no terminal from which commands could read.
    let _ = setsid();
    let group = ControlGroup::create();
    let watched = start_supervisor(sandbox, scratch, group.as_ref()).and_then(|supervisor| {
        watch(supervisor, &CLEANUP_TIMEOUT).map_err(|error| format!("watching the runner: {error}"))
    });
    let _ = orphans::kill_orphans(Reach::Children, KILL_TIMEOUT);
    if let Some(group) = group {
        group.end(KILL_TIMEOUT);
    }
    // Nothing is left to do here unless the supervisor was killed.
    if sandbox == Sandbox::Links {
        remove_links(scratch);
    }
    let _ = SlotScratch::remove(scratch);
    watched.unwrap_or_else(|reason| {
        let _ = frame::write(&mut io::stdout(), &RunnerResponse::Refused(reason));
        ExitCode::FAILURE
    })
}

fn start_supervisor(
    sandbox: Sandbox,
    scratch: &Path,
    group: Option<&ControlGroup>,
) -> Result<Child, String> {
    set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("becoming a subreaper: {error}"))?;
    let start = || {
        Command::new("/proc/self/exe")
            .args([HIDDEN_ARGUMENT, "supervise", sandbox.name()])
            .arg(scratch)
            .spawn()
    };
    let started = match group {
        Some(group) => group.start_inside(start),
        None => start(),
    };
    started.map_err(|error| format!("starting the runner: {error}"))
}

/// Waits for the exit of a process of the runner. After an exit of the worker, the process has the time `cleanup`, and is
/// killed then.
pub(super) fn watch(mut process: Child, cleanup: &Timespec) -> io::Result<ExitCode> {
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
