//! Termination of processes that a command left behind.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

/// The argument of `kill(2)` for all processes that the caller may signal.
const ALL_PROCESSES: Pid = Pid::from_raw(-1);

/// Interval between checks of dying processes.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The processes that are killed as orphans.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::runner) enum Reach {
    /// All processes of the PID namespace except the caller and init, in one call.
    Namespace,
    /// Children; grandchildren are reparented to the caller when a child dies.
    Children,
}

impl Reach {
    /// The whole PID namespace, if the caller is the init of the namespace.
    pub(in crate::runner) fn of_this_process() -> Self {
        if getpid().as_raw() == 1 {
            Self::Namespace
        } else {
            Self::Children
        }
    }
}

/// Kills all descendants of the current process and waits for their exit, at most `timeout`. The caller must need no child
/// any more, and must be init of its PID namespace or a subreaper.
pub(in crate::runner) fn kill_orphans(reach: Reach, timeout: Duration) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        if reap_all()? == Children::None {
            return Ok(());
        }
        kill_all(reach);
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "orphaned processes of a command do not exit after SIGKILL",
            ));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Reaps exited children except `kept`.
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

fn kill_all(reach: Reach) {
    if reach == Reach::Namespace {
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
    // The process name, in parentheses, may itself contain parentheses.
    let after_name = stat.rsplit_once(')')?.1;
    after_name
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
        .map(Pid::from_raw)
}
