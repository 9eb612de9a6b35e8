//! As the first process of a container.

use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{ALONE, clean, end, run, told};

/// The binary as PID 1 of a namespace of its own; needs to be root.
fn pid_one() -> Command {
    let mut command = clean(Command::new("unshare"));
    command
        .args(["--pid", "--fork", "--kill-child"])
        .arg(env!("CARGO_BIN_EXE_drover-worker"));
    command
}

/// What runs as PID 1 below `unshare`, and the worker that it started.
fn family(unshare: &Child) -> (Pid, Pid) {
    let init = only_child(unshare.id());
    (pid(init), pid(only_child(init)))
}

fn only_child(of: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    let mut children = children
        .split_whitespace()
        .map(|child| child.parse().unwrap());
    let only = children.next();
    assert!(only.is_some() && children.next().is_none());
    only.unwrap()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap())
}

#[test]
fn it_exits_as_the_worker_does() {
    for (typed, expected) in [(&["--version"][..], 0), (&["--slots"], 2)] {
        let (code, told) = run(pid_one().args(typed));
        assert_eq!(code, Some(expected), "{told}");
    }
}

#[test]
fn signals_reach_the_worker() {
    let store = tempfile::tempdir().unwrap();
    let child = pid_one().args(ALONE).arg(store.path()).spawn().unwrap();
    told(child, "answering", |child| {
        let (init, worker) = family(&child);
        assert_ne!(init, worker);
        kill(init, Signal::SIGTERM).unwrap();
        let output = end(child);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(kill(worker, None).is_err(), "the worker is still there");
    });
}

#[test]
fn a_worker_that_is_killed_is_told_of_as_a_shell_does() {
    let store = tempfile::tempdir().unwrap();
    let child = pid_one().args(ALONE).arg(store.path()).spawn().unwrap();
    told(child, "answering", |child| {
        let (_, worker) = family(&child);
        kill(worker, Signal::SIGKILL).unwrap();
        assert_eq!(end(child).status.code(), Some(128 + 9));
    });
}
