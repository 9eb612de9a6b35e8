//! Runner supervisor, the second process of a runner. Creates the namespaces, starts the server in them, and ends the
//! server with its command when the worker exits, even when the server hangs. The supervisor stays outside the mounts of
//! the server, so it can safely remove the scratch directory.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::process::{getpid, set_child_subreaper};

use super::watch::watch;
use crate::runner::filesystem::{SlotScratch, remove_links};
use crate::runner::frame::{self, RunnerResponse};
use crate::runner::settings::Sandbox;
use crate::runner::spawner::orphans::{self, Reach};
use crate::runner::{HIDDEN_ARGUMENT, namespaces};

/// How long the server may take to clean up after the exit of the worker.
const CLEANUP_TIMEOUT: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// How long processes may take to exit after KILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Supervises a server in `sandbox` until the server or the worker exits.
pub(in crate::runner) fn supervise(sandbox: Sandbox, scratch: &Path) -> ExitCode {
    let watched = start_server(sandbox, scratch).and_then(|server| {
        watch(server, &CLEANUP_TIMEOUT).map_err(|error| format!("watching the runner: {error}"))
    });
    let _ = orphans::kill_orphans(Reach::Children, KILL_TIMEOUT);
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
