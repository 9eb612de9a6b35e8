//! A command's processes, as the server sees them through the spawner, and the pipes of their output.

use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::process::Signal;

use super::line_splitter::Stream;
use super::log::CommandLog;
use crate::runner::execution::EndedProcesses;
use crate::runner::spawner::Spawner;

/// Size of a read: the capacity of a pipe.
const CHUNK: usize = 64 * 1024;

/// A started command whose end was not handled yet.
pub(super) struct CommandProcess {
    spawner: Rc<Spawner>,
    /// Readable when the command has ended.
    ended: UnixStream,
    outputs: Vec<Output>,
    buffer: Vec<u8>,
}

/// A pipe that the command writes to.
struct Output {
    stream: Stream,
    pipe: PipeReader,
}

impl CommandProcess {
    /// Takes over a command that `spawner` just started.
    pub(super) fn of(
        spawner: Rc<Spawner>,
        stdout: PipeReader,
        stderr: PipeReader,
    ) -> io::Result<Self> {
        let output = |stream, pipe| Output { stream, pipe };
        Ok(Self {
            ended: spawner.socket()?,
            spawner,
            outputs: vec![
                output(Stream::Stdout, stdout),
                output(Stream::Stderr, stderr),
            ],
            buffer: Vec::new(),
        })
    }

    /// A descriptor that becomes readable when the main process and its descendants have ended.
    pub(super) fn ending(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
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

    /// Signals the process group; an exited group is no error.
    pub(super) fn signal(&self, signal: Signal) {
        self.spawner.signal(signal);
    }

    /// Kills the remaining processes of the command, and returns the exit status of the main process and what all of them
    /// used, if known.
    pub(super) fn end(&mut self) -> io::Result<(ExitStatus, Option<EndedProcesses>)> {
        self.spawner.end()
    }
}

/// Waits for an event on a descriptor, at most `timeout`.
pub(super) fn wait_for(watched: &mut [PollFd<'_>], timeout: Duration) -> io::Result<()> {
    let timeout = Timespec::try_from(timeout).unwrap_or(Timespec {
        tv_sec: i64::MAX,
        tv_nsec: 0,
    });
    match poll(watched, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
