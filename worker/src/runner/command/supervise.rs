//! Watching a command while it runs: its output, its time, and the worker's wish to end it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::leftovers;
use super::log::{Kept, Log, Stream};
use crate::runner::frame::{self, Request};
use crate::runner::order::Order;

/// What one read takes at most: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// How often orphans that have ended are collected while the command runs.
const COLLECTING: Duration = Duration::from_secs(1);

/// A command that runs.
pub(super) struct Supervisor {
    child: Child,
    pidfd: OwnedFd,
    group: Pid,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    buffer: Vec<u8>,
    log: Log,
    deadline: Option<Instant>,
    grace: Duration,
    stopping: Option<Stopping>,
}

/// A command that was told to end.
struct Stopping {
    why: Watched,
    kill_at: Option<Instant>,
}

/// Why the watching is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Watched {
    /// The command ended by itself.
    Ended,
    /// It was ended at its timeout.
    TimedOut,
    /// It was ended at the worker's wish.
    Cancelled,
    /// The worker is gone; the command may still run.
    WorkerGone,
}

impl Supervisor {
    /// Takes on a command that was just started.
    pub(super) fn new(
        mut child: Child,
        order: &Order,
        started: Instant,
        log: Log,
    ) -> io::Result<Self> {
        let group = Pid::from_child(&child);
        Ok(Self {
            pidfd: pidfd_open(group, PidfdFlags::empty())?,
            group,
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            buffer: Vec::new(),
            log,
            deadline: order.timeout.map(|timeout| started + timeout),
            grace: order.grace,
            stopping: None,
        })
    }

    /// Watches until the command's main process has ended or the worker is gone.
    pub(super) fn watch(&mut self, requests: &mut File) -> io::Result<Watched> {
        loop {
            let ready = self.wait(requests, self.patience())?;
            self.read(ready.stdout, ready.stderr);
            if ready.ended {
                return Ok(self
                    .stopping
                    .as_ref()
                    .map_or(Watched::Ended, |stopping| stopping.why));
            }
            if ready.request {
                match frame::read(requests) {
                    Ok(Some(Request::Cancel)) => self.stop(Watched::Cancelled),
                    Ok(None) | Err(_) => return Ok(Watched::WorkerGone),
                    Ok(Some(_)) => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
            self.keep_time();
        }
    }

    /// Ends the rest of the command's process group, and tells how its main process ended.
    pub(super) fn end_of_group(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        self.child.wait()
    }

    /// Takes what is left in the pipes, without waiting for more, and closes the log.
    pub(super) fn finish(mut self) -> io::Result<Kept> {
        loop {
            let ready = poll_outputs(self.stdout.as_ref(), self.stderr.as_ref())?;
            if !ready.0 && !ready.1 {
                return Ok(self.log.finish());
            }
            self.read(ready.0, ready.1);
        }
    }

    /// How long to wait for something to happen.
    fn patience(&self) -> Duration {
        let next = match &self.stopping {
            Some(stopping) => stopping.kill_at,
            None => self.deadline,
        };
        next.map_or(COLLECTING, |moment| {
            moment
                .saturating_duration_since(Instant::now())
                .min(COLLECTING)
        })
    }

    /// Does what the clock asks for.
    fn keep_time(&mut self) {
        leftovers::reap_but(self.child.id());
        let now = Instant::now();
        match &mut self.stopping {
            Some(stopping) if stopping.kill_at.is_some_and(|moment| moment <= now) => {
                stopping.kill_at = None;
                self.signal(Signal::KILL);
            }
            None if self.deadline.is_some_and(|moment| moment <= now) => {
                self.stop(Watched::TimedOut)
            }
            Some(_) | None => {}
        }
    }

    /// Begins to end the command, unless that has begun already.
    fn stop(&mut self, why: Watched) {
        if self.stopping.is_some() {
            return;
        }
        let at_once = self.grace.is_zero();
        self.signal(if at_once { Signal::KILL } else { Signal::TERM });
        self.stopping = Some(Stopping {
            why,
            kill_at: (!at_once).then(|| Instant::now() + self.grace),
        });
    }

    /// Signals the command's process group. It is no error if it has ended: its leader is not collected yet, so
    /// the number cannot mean another group.
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
    }

    fn read(&mut self, stdout: bool, stderr: bool) {
        if stdout {
            take(
                &mut self.stdout,
                Stream::Stdout,
                &mut self.buffer,
                &mut self.log,
            );
        }
        if stderr {
            take(
                &mut self.stderr,
                Stream::Stderr,
                &mut self.buffer,
                &mut self.log,
            );
        }
    }

    fn wait(&self, requests: &File, patience: Duration) -> io::Result<Ready> {
        let mut watched = vec![
            PollFd::new(requests, PollFlags::IN),
            PollFd::new(&self.pidfd, PollFlags::IN),
        ];
        watched.extend(
            self.stdout
                .as_ref()
                .map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        );
        watched.extend(
            self.stderr
                .as_ref()
                .map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        );
        wait_for(&mut watched, patience)?;
        let mut ready = watched.iter().map(|fd| !fd.revents().is_empty());
        let mut next = |is_there: bool| is_there && ready.next().unwrap_or(false);
        Ok(Ready {
            request: next(true),
            ended: next(true),
            stdout: next(self.stdout.is_some()),
            stderr: next(self.stderr.is_some()),
        })
    }
}

/// What has happened.
struct Ready {
    request: bool,
    ended: bool,
    stdout: bool,
    stderr: bool,
}

/// Which of the pipes can be read, or is at its end.
fn poll_outputs(
    stdout: Option<&ChildStdout>,
    stderr: Option<&ChildStderr>,
) -> io::Result<(bool, bool)> {
    let ready = |pipe: Option<&dyn AsFd>| -> io::Result<bool> {
        let Some(pipe) = pipe else { return Ok(false) };
        let mut watched = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
        wait_for(&mut watched, Duration::ZERO)?;
        Ok(!watched[0].revents().is_empty())
    };
    Ok((
        ready(stdout.map(|pipe| pipe as &dyn AsFd))?,
        ready(stderr.map(|pipe| pipe as &dyn AsFd))?,
    ))
}

fn wait_for(watched: &mut [PollFd<'_>], patience: Duration) -> io::Result<()> {
    let patience = Timespec::try_from(patience).unwrap_or(Timespec {
        tv_sec: i64::MAX,
        tv_nsec: 0,
    });
    match poll(watched, Some(&patience)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads once from a pipe that is ready; closes it at its end.
fn take(pipe: &mut Option<impl Read>, stream: Stream, buffer: &mut Vec<u8>, log: &mut Log) {
    buffer.resize(CHUNK, 0);
    match pipe.as_mut().map(|pipe| pipe.read(buffer)) {
        Some(Ok(length)) if length > 0 => log.take(stream, &buffer[..length]),
        Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
        Some(_) | None => *pipe = None,
    }
}
