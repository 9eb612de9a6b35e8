//! The entry into the runner's own processes: a hidden first argument of our binaries, or the program name `next-
//! datum`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::settings::Sandbox;
use super::{guard, next_datum, server, spawner};

/// First argument of a process that is part of a runner.
pub(super) const HIDDEN_ARGUMENT: &str = "__runner";

/// Runs the current process as a runner process or as `next-datum` if it was started as such, and returns its exit code. Must
/// be the first line of `main`, before any thread is started.
pub fn take_over() -> Option<ExitCode> {
    next_datum::take_over().or_else(take_over_as_runner)
}

fn take_over_as_runner() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != HIDDEN_ARGUMENT {
        return None;
    }
    let role = arguments.next()?;
    let sandbox = arguments.next()?.to_str().and_then(Sandbox::named)?;
    let scratch = PathBuf::from(arguments.next()?);
    let group: Vec<_> = arguments.map(PathBuf::from).collect();
    match role.to_str()? {
        "guard" => Some(guard::guard(sandbox, &scratch)),
        "supervise" => Some(guard::supervise(sandbox, &scratch, &group)),
        "spawn" => Some(spawner::spawn_commands()),
        "serve" => Some(server::serve(sandbox, &group)),
        _ => None,
    }
}
