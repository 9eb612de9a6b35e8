//! Runner supervisor, the first of the two processes of a runner. Creates the namespaces, starts the server in them,
//! and ends the server with its command when the worker exits, even when the server hangs. The supervisor stays
//! outside the mounts of the server, so it can safely remove the scratch directory.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open, set_child_subreaper, setsid};

use super::filesystem::{SlotScratch, remove_links};
use super::frame::{self, RunnerResponse};
use super::settings::Sandbox;
use super::spawner::orphans::{self, Reach};
use super::{HIDDEN_ARGUMENT, namespaces};

/// How long the server may take to clean up after the exit of the worker.
const CLEANUP_TIMEOUT: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// How long processes may take to exit after KILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Supervises a server in `sandbox` until the server or the worker exits.
pub(super) fn supervise(sandbox: Sandbox, scratch: &Path) -> ExitCode {
    let watched = start_server(sandbox, scratch)
        .and_then(|server| watch(server).map_err(|error| format!("watching the runner: {error}")));
    if sandbox == Sandbox::Links {
        remove_links(scratch);
    }
    // The next runner of the slot removes the rest.
    let _ = SlotScratch::remove(scratch);
    match watched {
        Ok(code) => code,
        Err(reason) => {
            let _ = frame::write(&mut io::stdout(), &RunnerResponse::Refused(reason));
            ExitCode::FAILURE
        }
    }
}

fn start_server(sandbox: Sandbox, scratch: &Path) -> Result<Child, String> {
    // A new session: no Ctrl-C from the terminal, and no terminal from which commands could read.
    let _ = setsid();
    match sandbox {
        Sandbox::Namespaces => namespaces::unshare(true)?,
        Sandbox::Mounts => namespaces::unshare(false)?,
        Sandbox::Links | Sandbox::Environment => {}
    }
    set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("becoming a subreaper: {error}"))?;
    Command::new("/proc/self/exe")
        .args([HIDDEN_ARGUMENT, "serve", sandbox.name()])
        .arg(scratch)
        .spawn()
        .map_err(|error| format!("starting the runner: {error}"))
}

/// Waits for the exit of the server. After an exit of the worker, the server has [`CLEANUP_TIMEOUT`].
fn watch(mut server: Child) -> io::Result<ExitCode> {
    let pidfd = pidfd_open(Pid::from_child(&server), PidfdFlags::empty())?;
    let requests = io::stdin();
    // The server reads the pipe, so no events are requested here; a hang-up is reported in any case.
    let mut watched = [
        PollFd::new(&pidfd, PollFlags::IN),
        PollFd::new(&requests, PollFlags::empty()),
    ];
    while let Err(rustix::io::Errno::INTR) = poll(&mut watched, None) {}
    if watched[0].revents().is_empty() {
        poll(&mut watched[..1], Some(&CLEANUP_TIMEOUT))?;
    }
    let _ = server.kill();
    let status = server.wait()?;
    let _ = orphans::kill_orphans(Reach::Children, KILL_TIMEOUT);
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
