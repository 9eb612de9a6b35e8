//! Main process of a command, its process group, and the pipes of its output.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, read};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::log::{CommandLog, Stream};
use super::monitor::wait_for;
use super::orphans;

/// Size of a read: the capacity of a pipe.
const CHUNK: usize = 64 * 1024;

/// How long processes may take to exit after KILL. A process that takes longer hangs in the kernel, and the slot is
/// unfit.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// A started command, not yet reaped.
pub(super) struct CommandProcess {
    child: Child,
    pidfd: OwnedFd,
    group: Pid,
    outputs: Vec<Output>,
    buffer: Vec<u8>,
}

/// A pipe that the command writes to.
struct Output {
    stream: Stream,
    pipe: OwnedFd,
}

impl CommandProcess {
    /// Takes over a command that was just started in a process group of its own.
    pub(super) fn of(mut child: Child) -> io::Result<Self> {
        let group = Pid::from_child(&child);
        let stdout = child.stdout.take().map(|pipe| Output {
            stream: Stream::Stdout,
            pipe: pipe.into(),
        });
        let stderr = child.stderr.take().map(|pipe| Output {
            stream: Stream::Stderr,
            pipe: pipe.into(),
        });
        Ok(Self {
            pidfd: pidfd_open(group, PidfdFlags::empty())?,
            group,
            child,
            outputs: stdout.into_iter().chain(stderr).collect(),
            buffer: Vec::new(),
        })
    }

    /// Process id of the main process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A descriptor that becomes readable when the main process exits.
    pub(super) fn ending(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The pipes that are still open.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (Stream, BorrowedFd<'_>)> {
        self.outputs
            .iter()
            .map(|output| (output.stream, output.pipe.as_fd()))
    }

    /// Reads once from a ready pipe and closes the pipe at its end. Without a log the data is discarded.
    pub(super) fn take(&mut self, stream: Stream, log: Option<&mut CommandLog>) {
        let Some(place) = self
            .outputs
            .iter()
            .position(|output| output.stream == stream)
        else {
            return;
        };
        self.buffer.resize(CHUNK, 0);
        match read(&self.outputs[place].pipe, &mut self.buffer[..]) {
            Ok(length) if length > 0 => {
                if let Some(log) = log {
                    log.take(stream, &self.buffer[..length]);
                }
            }
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => {
                self.outputs.remove(place);
            }
        }
    }

    /// Reads the remaining data without waiting.
    pub(super) fn drain(&mut self, log: &mut CommandLog) -> io::Result<()> {
        while !self.outputs.is_empty() {
            let mut watched: Vec<_> = self
                .outputs
                .iter()
                .map(|output| PollFd::new(&output.pipe, PollFlags::IN))
                .collect();
            wait_for(&mut watched, Duration::ZERO)?;
            let ready = watched
                .iter()
                .position(|descriptor| !descriptor.revents().is_empty());
            match ready {
                Some(place) => self.take(self.outputs[place].stream, Some(log)),
                None => break,
            }
        }
        Ok(())
    }

    /// Signals the process group. The leader is not reaped yet, so its number cannot denote another group; an exited
    /// group is no error.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
    }

    /// Kills the group and all orphans, and returns the exit status of the main process.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        let status = self.child.wait()?;
        orphans::kill_orphans(KILL_TIMEOUT)?;
        Ok(status)
    }
}
