//! Watching a command while it runs: its output, its time, its FIFOs, and the worker's wish to end it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::feeder::Feeder;
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
    outputs: Vec<Output>,
    buffer: Vec<u8>,
    log: Log,
    feeder: Option<Feeder>,
    lost_input: Option<String>,
    deadline: Option<Instant>,
    grace: Duration,
    stopping: Option<Stopping>,
    /// When orphans were last collected.
    collected: Instant,
}

/// A pipe that the command writes to.
struct Output {
    stream: Stream,
    pipe: OwnedFd,
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
    /// It was ended because an input could not be delivered.
    InputLost,
    /// The worker is gone; the command may still run.
    WorkerGone,
}

/// What can happen while a command runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    Request,
    Ended,
    Output(Stream),
    Fifo,
}

impl Supervisor {
    /// Takes on a command that was just started.
    pub(super) fn new(
        mut child: Child,
        order: &Order,
        started: Instant,
        log: Log,
        feeder: Option<Feeder>,
    ) -> io::Result<Self> {
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
            log,
            feeder,
            lost_input: None,
            deadline: order.timeout.map(|timeout| started + timeout),
            grace: order.grace,
            stopping: None,
            collected: started,
        })
    }

    /// Watches until the command's main process has ended or the worker is gone.
    pub(super) fn watch(&mut self, requests: &mut File) -> io::Result<Watched> {
        loop {
            for event in self.wait(requests)? {
                match event {
                    Event::Output(stream) => self.take(stream),
                    Event::Fifo => self.feed(),
                    Event::Ended => {
                        return Ok(self
                            .stopping
                            .as_ref()
                            .map_or(Watched::Ended, |stopping| stopping.why));
                    }
                    Event::Request => match frame::read(requests) {
                        Ok(Some(Request::Cancel)) => self.stop(Watched::Cancelled),
                        Ok(None) | Err(_) => return Ok(Watched::WorkerGone),
                        Ok(Some(Request::Setup(_) | Request::Run(_))) => {
                            return Err(io::ErrorKind::InvalidData.into());
                        }
                    },
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

    /// Which input could not be delivered, and why.
    pub(super) fn lost_input(&mut self) -> String {
        self.lost_input.take().unwrap_or_default()
    }

    /// Takes what is left in the pipes, without waiting for more, and closes the log.
    pub(super) fn finish(mut self) -> io::Result<Kept> {
        loop {
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
                Some(place) => self.take(self.outputs[place].stream),
                None => return Ok(self.log.finish()),
            }
        }
    }

    /// Waits until something happens or it is time to look at the clock. The command's end comes last.
    fn wait(&self, requests: &File) -> io::Result<Vec<Event>> {
        let mut events: Vec<(Event, BorrowedFd<'_>, PollFlags)> = self
            .outputs
            .iter()
            .map(|it| (Event::Output(it.stream), it.pipe.as_fd(), PollFlags::IN))
            .collect();
        if let Some(feeder) = &self.feeder {
            let (news, filling) = feeder.descriptors();
            events.push((Event::Fifo, news, PollFlags::IN));
            events.extend(filling.map(|pipe| (Event::Fifo, pipe, PollFlags::OUT)));
        }
        events.push((Event::Request, requests.as_fd(), PollFlags::IN));
        events.push((Event::Ended, self.pidfd.as_fd(), PollFlags::IN));
        let mut watched: Vec<_> = events
            .iter()
            .map(|&(_, fd, flags)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        wait_for(&mut watched, self.patience())?;
        let happened = events
            .iter()
            .zip(&watched)
            .filter(|(_, descriptor)| !descriptor.revents().is_empty());
        let mut happened: Vec<Event> = happened.map(|(&(event, ..), _)| event).collect();
        happened.dedup();
        Ok(happened)
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
        let now = Instant::now();
        if now >= self.collected + COLLECTING {
            leftovers::reap_but(self.child.id());
            self.collected = now;
        }
        match &mut self.stopping {
            Some(stopping) if stopping.kill_at.is_some_and(|moment| moment <= now) => {
                stopping.kill_at = None;
                self.signal(Signal::KILL);
            }
            None if self.deadline.is_some_and(|moment| moment <= now) => {
                self.stop(Watched::TimedOut);
            }
            Some(_) | None => {}
        }
    }

    /// Begins to end the command, unless that has begun already.
    fn stop(&mut self, why: Watched) {
        if self.stopping.is_some() {
            return;
        }
        let at_once = self.grace.is_zero() || why == Watched::InputLost;
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

    fn feed(&mut self) {
        if let Some(Err(lost)) = self.feeder.as_mut().map(Feeder::feed) {
            self.feeder = None;
            self.lost_input.get_or_insert(lost);
            self.stop(Watched::InputLost);
        }
    }

    /// Reads once from a pipe that is ready; closes it at its end.
    fn take(&mut self, stream: Stream) {
        let Some(place) = self
            .outputs
            .iter()
            .position(|output| output.stream == stream)
        else {
            return;
        };
        self.buffer.resize(CHUNK, 0);
        match read(&self.outputs[place].pipe, &mut self.buffer[..]) {
            Ok(length) if length > 0 => self.log.take(stream, &self.buffer[..length]),
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => {
                self.outputs.remove(place);
            }
        }
    }
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
