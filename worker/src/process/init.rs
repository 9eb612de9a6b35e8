//! PID 1 of a container: the kernel gives it orphans to bury, and ignores signals that it does not handle itself.
//!
//! So where the worker finds itself to be PID 1 it starts itself once more, as a child that is an ordinary process,
//! and stays behind as a small init: it passes signals on, reaps whatever ends, and exits as the child does.

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

/// What is passed on to the worker.
const PASSED_ON: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// What a shell adds to the number of the signal that ended a process.
const BY_SIGNAL: i32 = 128;

/// If this process is PID 1, is its init to its end. Must come before any thread.
pub fn take_over() -> Option<ExitCode> {
    if std::process::id() != 1 {
        return None;
    }
    let runtime = runtime::Builder::new_current_thread().enable_io().build();
    let ended = runtime.and_then(|runtime| runtime.block_on(look_after_the_worker()));
    // Without an init the worker does its work all the same.
    ended.ok()
}

async fn look_after_the_worker() -> io::Result<ExitCode> {
    // All handlers first: what comes while the worker starts must not be missed.
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
                // A worker that has just ended is found by the other arm.
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

/// Starts the worker. In a process group of its own: Ctrl-C at a terminal reaches it through us, once, not twice.
fn start() -> io::Result<Pid> {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| "drover-worker".into());
    let worker = Command::new("/proc/self/exe")
        .arg0(name)
        .args(words)
        .process_group(0)
        .spawn()?;
    // Dropped, but not waited for: `reap` does that, for all.
    let pid = i32::try_from(worker.id()).map_err(io::Error::other)?;
    Ok(Pid::from_raw(pid))
}

/// Buries all that have ended; returns how the worker ended, if it is among them.
fn reap(worker: Pid) -> Option<ExitCode> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == worker => return Some(exit_code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == worker => {
                return Some(exit_code(BY_SIGNAL + signal as i32));
            }
            Ok(WaitStatus::StillAlive) => return None,
            Ok(_) | Err(Errno::EINTR) => {}
            // Nobody is left, the worker neither.
            Err(_) => return Some(ExitCode::FAILURE),
        }
    }
}

fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
