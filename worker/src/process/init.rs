//! PID 1 of a container. The kernel makes PID 1 the parent of all orphans, and ignores signals that PID 1 does not
//! handle.
//!
//! A worker that is PID 1 therefore starts itself again as a child and stays behind as a small init: the init passes
//! signals on, reaps all processes, and exits with the code of the child.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use futures::future::select_all;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// The signals that are passed on to the worker.
const PASSED_ON: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// A process killed by signal n exits with this plus n, as in a shell.
const BY_SIGNAL: i32 = 128;

/// Runs as the init if the current process is PID 1. Must be called before any thread is started.
pub fn take_over() -> Option<ExitCode> {
    if std::process::id() != 1 {
        return None;
    }
    let runtime = runtime::Builder::new_current_thread().enable_io().build();
    let ended = runtime.and_then(|runtime| runtime.block_on(supervise_worker()));
    // If the init cannot run, the process becomes the worker itself.
    ended.ok()
}

async fn supervise_worker() -> io::Result<ExitCode> {
    // The handlers come first, so no signal is missed while the worker starts.
    let mut ended = signal(SignalKind::child())?;
    let mut asked = PASSED_ON
        .map(|it| signal(SignalKind::from_raw(it as i32)).map(|stream| (it, stream)))
        .into_iter()
        .collect::<io::Result<Vec<_>>>()?;
    let worker = start()?;
    loop {
        let passed_on = select_all(asked.iter_mut().map(|(signal, stream)| {
            Box::pin(async {
                stream.recv().await;
                *signal
            })
        }));
        tokio::select! {
            (signal, ..) = passed_on => {
                // The other branch reaps an ended worker.
                let _ = kill(worker, signal);
            }
            _ = ended.recv() => {
                if let Some(code) = reap(worker) {
                    return Ok(code);
                }
            }
        }
    }
}

/// Starts the worker, in a process group of its own: otherwise Ctrl-C at a terminal would reach the worker twice.
fn start() -> io::Result<Pid> {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| "drover-worker".into());
    let worker = Command::new("/proc/self/exe")
        .arg0(name)
        .args(words)
        .process_group(0)
        .spawn()?;
    // The child is dropped without a wait: `reap` waits for all children.
    let pid = i32::try_from(worker.id()).map_err(io::Error::other)?;
    Ok(Pid::from_raw(pid))
}

/// Reaps all ended children; returns the exit code of the worker, if the worker has ended.
fn reap(worker: Pid) -> Option<ExitCode> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == worker => return Some(exit_code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == worker => {
                return Some(exit_code(BY_SIGNAL + signal as i32));
            }
            Ok(WaitStatus::StillAlive) => return None,
            Ok(_) | Err(Errno::EINTR) => {}
            // No child is left, so the worker is gone, too.
            Err(_) => return Some(ExitCode::FAILURE),
        }
    }
}

fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
