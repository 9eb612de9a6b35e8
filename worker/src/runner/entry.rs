//! The way into the runner's own processes: a hidden first argument of our binaries.

use std::process::ExitCode;

/// The first argument that makes a process of our binaries a runner's.
pub(super) const HIDDEN_ARGUMENT: &str = "__runner";

/// If this process was started as a runner's, is it to its end. Must be the first line of `main`, before any thread.
pub fn take_over() -> Option<ExitCode> {
    if std::env::args_os().nth(1)? != HIDDEN_ARGUMENT {
        return None;
    }
    todo!()
}
