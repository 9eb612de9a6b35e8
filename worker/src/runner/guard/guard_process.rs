//! Runner guard, the first process of a runner. Starts the supervisor and waits for its end, whatever the cause, and then
//! ends every process that is left of the slot. A command that kills the supervisor, the server and the spawner is thereby
//! survived by nobody: the guard is an ancestor of all and the next parent of orphans.

use std::path::Path;
use std::process::ExitCode;

use rustix::event::Timespec;
use rustix::process::setsid;

use super::next_process::{KILL_TIMEOUT, clean_up, end_orphans, process, start, watch};
use crate::runner::control_group::ControlGroup;
use crate::runner::settings::Sandbox;

/// How long the supervisor may take to end everything after the exit of the worker; longer than the supervisor gives the
/// server.
const CLEANUP_TIMEOUT: Timespec = Timespec {
    tv_sec: 12,
    tv_nsec: 0,
};

/// Guards a slot until its supervisor or the worker exits.
pub(in crate::runner) fn guard(sandbox: Sandbox, scratch: &Path) -> ExitCode {
    // A new session: no Ctrl-C from the terminal, and no terminal from which commands could read.
    let _ = setsid();
    let group = ControlGroup::create();
    let mut supervisor = process("supervise", sandbox, scratch);
    // The supervisor enters the group, which the guard must outlive.
    supervisor.args(group.iter().flat_map(ControlGroup::directories));
    let watched = start(supervisor).and_then(|started| watch(started, &CLEANUP_TIMEOUT));
    end_orphans();
    if let Some(group) = group {
        group.end(KILL_TIMEOUT);
    }
    // Nothing is left to remove unless the supervisor was killed.
    clean_up(watched, sandbox, scratch)
}
