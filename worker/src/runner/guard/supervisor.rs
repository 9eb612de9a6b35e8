//! Runner supervisor, the second process of a runner. Creates the namespaces, starts the server in them, and ends the
//! server with its command when the worker exits, even when the server hangs. The supervisor stays outside the mounts of
//! the server, so it can safely remove the scratch directory.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode};

use rustix::event::Timespec;

use super::next_process::{clean_up, end_orphans, process, start, watch};
use crate::runner::settings::Sandbox;
use crate::runner::{control_group, namespaces};

/// How long the server may take to clean up after the exit of the worker.
const CLEANUP_TIMEOUT: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// Supervises a server in `sandbox` until the server or the worker exits. Everything below is in the control group with
/// the directories `group`.
pub(in crate::runner) fn supervise(
    sandbox: Sandbox,
    scratch: &Path,
    group: &[PathBuf],
) -> ExitCode {
    let entered = control_group::enter(group);
    let started = start_server(sandbox, scratch, &entered);
    let watched = started.and_then(|server| watch(server, &CLEANUP_TIMEOUT));
    end_orphans();
    clean_up(watched, sandbox, scratch)
}

fn start_server(sandbox: Sandbox, scratch: &Path, group: &[&PathBuf]) -> Result<Child, String> {
    match sandbox {
        Sandbox::Namespaces => namespaces::unshare(true)?,
        Sandbox::Mounts => namespaces::unshare(false)?,
        Sandbox::Links | Sandbox::Environment => {}
    }
    let mut server = process("serve", sandbox, scratch);
    server.args(group);
    start(server)
}
