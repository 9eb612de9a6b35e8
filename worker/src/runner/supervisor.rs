//! The first of a runner's two processes: takes the new namespaces, starts the server in them, and sees to it that
//! the server and all it ran are gone when the worker is gone, even when the server hangs. It stays outside the mounts that
//! the server makes, so it can safely remove what is left in scratch.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open, set_child_subreaper, setsid};

use super::command::orphans;
use super::filesystem::SlotScratch;
use super::frame::{self, RunnerResponse};
use super::settings::Sandbox;
use super::{HIDDEN_ARGUMENT, namespaces};

/// How long the server may take to clean up once the worker is gone.
const CLEANUP_TIMEOUT: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// How long processes may take to die of KILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Is the keeper of a server in `sandbox`, to the end of either the server or the worker.
pub(super) fn supervise(sandbox: Sandbox, scratch: &Path) -> ExitCode {
    let watched = start_server(sandbox, scratch)
        .and_then(|server| watch(server).map_err(|error| format!("watching the runner: {error}")));
    // What cannot be removed now is removed by the next runner of the slot.
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
    // A session of its own: no Ctrl-C from the terminal, and no terminal on which commands could wait for answers.
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

/// Waits until the server has ended, or the worker has and its server was made to.
fn watch(mut server: Child) -> io::Result<ExitCode> {
    let pidfd = pidfd_open(Pid::from_child(&server), PidfdFlags::empty())?;
    let requests = io::stdin();
    // No events are asked for: the server reads the pipe. That its other end is closed is told in any case.
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
    let _ = orphans::kill_orphans(KILL_TIMEOUT);
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
