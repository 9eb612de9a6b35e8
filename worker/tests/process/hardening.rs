//! Secrets of a running worker stay hidden from other processes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use super::{ALONE, SOON, clean, end, told};

/// A program as an ordinary user; needs to be root.
fn as_nobody(program: &str) -> Command {
    let mut command = clean(Command::new("setpriv"));
    command.args([
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        program,
    ]);
    command
}

#[test]
fn the_processes_of_a_runner_are_unreadable_from_their_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let binary = open_to_all(folder.path());
    for role in ["supervise", "serve", "spawn"] {
        let mut command = as_nobody(&binary);
        command
            .args(["__runner", role, "environment"])
            .arg(folder.path().join("scratch"))
            .env("SECRET", "hunter2")
            .stdin(Stdio::piped());
        let mut runner = command.spawn().unwrap();
        let begun = Instant::now();
        // Until `setpriv` has executed the binary, and that its first line, the environment is readable.
        while environment_of(runner.id()).status.success() {
            assert!(begun.elapsed() < SOON, "{role} is readable");
        }
        runner.kill().unwrap();
        end(runner);
    }
}

/// A directory with the binary, accessible to all users.
fn open_to_all(folder: &Path) -> String {
    fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
    let binary = folder.join("drover-worker");
    fs::copy(env!("CARGO_BIN_EXE_drover-worker"), &binary).unwrap();
    binary.to_str().unwrap().to_owned()
}

fn environment_of(process: u32) -> Output {
    let environ = format!("/proc/{process}/environ");
    as_nobody("cat").arg(environ).output().unwrap()
}

#[test]
fn the_environment_of_a_worker_is_unreadable_for_its_own_user() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = as_nobody(&open_to_all(folder.path()));
    command
        .args(ALONE)
        .arg(folder.path())
        .env("DROVER_LOG", "info");
    told(command.spawn().unwrap(), "answering", |mut worker| {
        let read = environment_of(worker.id());
        assert!(!read.status.success() && read.stdout.is_empty(), "{read:?}");
        worker.kill().unwrap();
        end(worker);
    });
    // The environment of other processes of the user is readable.
    let mut other = as_nobody("sleep")
        .arg("60")
        .env("SECRET", "hunter2")
        .spawn()
        .unwrap();
    while fs::read_to_string(format!("/proc/{}/comm", other.id()))
        .unwrap()
        .trim()
        != "sleep"
    {
        std::thread::yield_now();
    }
    let read = environment_of(other.id());
    assert!(
        String::from_utf8_lossy(&read.stdout).contains("SECRET=hunter2"),
        "{read:?}"
    );
    other.kill().unwrap();
    end(other);
}
