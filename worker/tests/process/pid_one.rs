//! The worker as the first process of a container.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{ALONE, SOON, clean, end, run, told};

/// The binary as PID 1 of a namespace of its own; needs to be root.
fn pid_one() -> Command {
    let mut command = clean(Command::new("unshare"));
    command
        .args(["--pid", "--fork", "--kill-child"])
        .arg(env!("CARGO_BIN_EXE_drover-worker"));
    command
}

/// The process that runs as PID 1 below `unshare`, and the worker that it started.
fn family(unshare: &Child) -> (Pid, Pid) {
    let init = only_child(unshare.id());
    (pid(init), pid(only_child(init)))
}

fn only_child(of: u32) -> u32 {
    let children = children(of);
    assert_eq!(children.len(), 1);
    children[0]
}

/// The children of a process, including zombies.
fn children(of: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    let children = children.split_whitespace();
    children.map(|child| child.parse().unwrap()).collect()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap())
}

#[test]
fn the_exit_code_is_that_of_the_worker() {
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
fn orphans_are_reaped() {
    let store = tempfile::tempdir().unwrap();
    // The shell is PID 1 until it executes the worker, and leaves the worker a process that ends soon.
    let script = "(sleep 0.1 &); exec \"$0\" \"$@\"";
    let child = clean(Command::new("unshare"))
        .args(["--pid", "--fork", "--kill-child", "sh", "-c", script])
        .arg(env!("CARGO_BIN_EXE_drover-worker"))
        .args(ALONE)
        .arg(store.path())
        .spawn()
        .unwrap();
    told(child, "answering", |child| {
        let init = children(child.id())[0];
        let begun = Instant::now();
        while children(init).len() > 1 {
            assert!(begun.elapsed() < SOON, "it is never buried");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill(pid(init), Signal::SIGTERM).unwrap();
        end(child);
    });
}

#[test]
fn a_killed_worker_is_reported_as_by_a_shell() {
    let store = tempfile::tempdir().unwrap();
    let child = pid_one().args(ALONE).arg(store.path()).spawn().unwrap();
    told(child, "answering", |child| {
        let (_, worker) = family(&child);
        kill(worker, Signal::SIGKILL).unwrap();
        assert_eq!(end(child).status.code(), Some(128 + 9));
    });
}
