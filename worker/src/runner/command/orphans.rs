//! Ending what a command left behind.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

/// Everybody whom this process may signal, but itself.
const ALL_PROCESSES: Pid = Pid::from_raw(-1);

/// Between looks at processes that are dying.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Kills all descendants of this process and waits for their death, at most `patience`.
/// The caller must have no children that it still wants, and be the init of its PID namespace or a subreaper.
pub(in crate::runner) fn kill_orphans(timeout: Duration) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        if reap_all()? == Children::None {
            return Ok(());
        }
        kill_all();
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "processes that a command left behind do not die",
            ));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Collects children that have ended, but for `kept`.
pub(super) fn reap_except(kept: u32) {
    use nix::sys::wait::{Id, waitid};
    let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) = waitid(Id::All, peek)
    {
        if pid.as_raw().cast_unsigned() == kept || waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err()
        {
            return;
        }
    }
}

#[derive(Eq, PartialEq)]
enum Children {
    None,
    Some,
}

fn reap_all() -> io::Result<Children> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return Ok(Children::Some),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return Ok(Children::None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// As init of a PID namespace one call reaches them all at once; as a subreaper only children can be told from
/// strangers, and their children become ours when they die.
fn kill_all() {
    if getpid().as_raw() == 1 {
        let _ = kill(ALL_PROCESSES, Signal::SIGKILL);
        return;
    }
    for child in children() {
        let _ = kill(child, Signal::SIGKILL);
    }
}

fn children() -> Vec<Pid> {
    let own = getpid();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .map(Pid::from_raw)
        .filter(|&process| parent(process) == Some(own))
        .collect()
}

fn parent(process: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may itself contain any of them.
    let after_name = stat.rsplit_once(')')?.1;
    after_name
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
        .map(Pid::from_raw)
}
