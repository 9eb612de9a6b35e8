//! A command's main process, the group that it leads, and the pipes that they write to.

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

/// What one read takes at most: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// How long processes may take to die of KILL. What does not is stuck in the kernel, and this runner is unfit.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// A command that was started and is not collected yet.
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
    /// Takes on a command that was just started in a group of its own.
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

    /// The number of the main process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Readable once the main process has ended.
    pub(super) fn ending(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The pipes that are still open.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (Stream, BorrowedFd<'_>)> {
        self.outputs
            .iter()
            .map(|output| (output.stream, output.pipe.as_fd()))
    }

    /// Reads once from a pipe that is ready; closes it at its end. Without a log, what is read is gone.
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

    /// Takes what is left in the pipes, without waiting for more.
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

    /// Signals the process group. It is no error if it has ended: its leader is not collected yet, so the number
    /// cannot mean another group.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
    }

    /// Ends what is left of the group and of all that left it, and tells how the main process ended.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        let status = self.child.wait()?;
        orphans::kill_orphans(KILL_TIMEOUT)?;
        Ok(status)
    }
}
