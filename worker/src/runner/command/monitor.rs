//! Watching a command while it runs: its output, its time, its FIFOs, what it asks for, and the worker's wish to end it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Signal;

use super::fifo_writer::FifoWriter;
use super::log::{CommandLog, Stream};
use super::next_datum_socket::{NextDatumMessage, NextDatumRequest, NextDatumSocket};
use super::orphans;
use super::process::CommandProcess;
use crate::runner::frame::{self, RunnerRequest};
use crate::runner::order::Order;

/// How often orphans that have ended are collected while the command runs.
const REAP_INTERVAL: Duration = Duration::from_secs(1);

/// Watches a command that runs.
pub(super) struct CommandMonitor<'a> {
    process: &'a mut CommandProcess,
    log: &'a mut CommandLog,
    fifo_writer: Option<FifoWriter>,
    next_datum_socket: Option<&'a NextDatumSocket>,
    /// Why the datum in hand has failed, if that was said.
    failed: Option<String>,
    deadline: Option<Instant>,
    /// From TERM to KILL; zero kills at once.
    grace: Duration,
    stopping: Option<Termination>,
    /// When orphans were last collected.
    collected: Instant,
}

/// A command that was told to end.
struct Termination {
    why: MonitorEnd,
    kill_at: Option<Instant>,
}

/// Why the watching is over.
pub(super) enum MonitorEnd {
    /// The command ended by itself.
    Ended,
    /// It wants its next datum; why the one in hand has failed, if that was said.
    Asked(NextDatumRequest, Option<String>),
    /// It was ended at its timeout.
    TimedOut,
    /// It was ended at the worker's wish.
    Cancelled,
    /// It was ended because an input could not be delivered: which one, and why.
    InputLost(String),
    /// The worker is gone; the command may still run.
    WorkerGone,
}

/// What can happen while a command runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MonitorEvent {
    Request,
    Ended,
    Asked,
    Output(Stream),
    Fifo,
}

impl<'a> CommandMonitor<'a> {
    /// Watches `process`, which began with this order when `started`.
    pub(super) fn of(
        process: &'a mut CommandProcess,
        log: &'a mut CommandLog,
        order: &Order,
        started: Instant,
    ) -> Self {
        Self {
            process,
            log,
            fifo_writer: None,
            next_datum_socket: None,
            failed: None,
            deadline: order.timeout.map(|timeout| started + timeout),
            grace: order.grace,
            stopping: None,
            collected: started,
        }
    }

    /// Fills its FIFOs, too.
    pub(super) fn with_fifos(self, fifo_writer: Option<FifoWriter>) -> Self {
        Self {
            fifo_writer,
            ..self
        }
    }

    /// Hears it request for its next datum, too.
    pub(super) fn with_socket(self, next_datum_socket: &'a NextDatumSocket) -> Self {
        Self {
            next_datum_socket: Some(next_datum_socket),
            ..self
        }
    }

    /// Watches until the command's main process has ended or asks for more, or the worker is gone.
    pub(super) fn watch(mut self, requests: &mut File) -> io::Result<MonitorEnd> {
        loop {
            for event in self.wait(requests)? {
                match event {
                    MonitorEvent::Output(stream) => self.process.take(stream, Some(self.log)),
                    MonitorEvent::Fifo => self.feed(),
                    MonitorEvent::Asked => {
                        let request = self.next_datum_socket.and_then(NextDatumSocket::accept);
                        if let Some(asked) = request.and_then(|request| self.handle(request)) {
                            return Ok(asked);
                        }
                    }
                    MonitorEvent::Ended => {
                        return Ok(self
                            .stopping
                            .map_or(MonitorEnd::Ended, |stopping| stopping.why));
                    }
                    MonitorEvent::Request => match frame::read(requests) {
                        Ok(Some(RunnerRequest::Cancel)) => self.stop(MonitorEnd::Cancelled),
                        Ok(None) | Err(_) => return Ok(MonitorEnd::WorkerGone),
                        Ok(Some(
                            RunnerRequest::Setup(_)
                            | RunnerRequest::Base(_)
                            | RunnerRequest::Run(_),
                        )) => {
                            return Err(io::ErrorKind::InvalidData.into());
                        }
                    },
                }
            }
            self.keep_time();
        }
    }

    /// Waits until something happens or it is time to look at the clock. The command's end comes last.
    fn wait(&self, requests: &File) -> io::Result<Vec<MonitorEvent>> {
        let mut events: Vec<(MonitorEvent, BorrowedFd<'_>, PollFlags)> = self
            .process
            .outputs()
            .map(|(stream, pipe)| (MonitorEvent::Output(stream), pipe, PollFlags::IN))
            .collect();
        if let Some(fifo_writer) = &self.fifo_writer {
            let (readers, filling) = fifo_writer.descriptors();
            events.push((MonitorEvent::Fifo, readers, PollFlags::IN));
            events.extend(filling.map(|pipe| (MonitorEvent::Fifo, pipe, PollFlags::OUT)));
        }
        // Who is told to end gets nothing more.
        if let Some(next_datum_socket) = self.next_datum_socket.filter(|_| self.stopping.is_none())
        {
            events.push((
                MonitorEvent::Asked,
                next_datum_socket.as_fd(),
                PollFlags::IN,
            ));
        }
        events.push((MonitorEvent::Request, requests.as_fd(), PollFlags::IN));
        events.push((MonitorEvent::Ended, self.process.ending(), PollFlags::IN));
        let mut watched: Vec<_> = events
            .iter()
            .map(|&(_, fd, flags)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        wait_for(&mut watched, self.timeout())?;
        let happened = events
            .iter()
            .zip(&watched)
            .filter(|(_, descriptor)| !descriptor.revents().is_empty());
        let mut happened: Vec<MonitorEvent> = happened.map(|(&(event, ..), _)| event).collect();
        happened.dedup();
        Ok(happened)
    }

    /// How long to wait for something to happen.
    fn timeout(&self) -> Duration {
        let next = match &self.stopping {
            Some(stopping) => stopping.kill_at,
            None => self.deadline,
        };
        next.map_or(REAP_INTERVAL, |moment| {
            moment
                .saturating_duration_since(Instant::now())
                .min(REAP_INTERVAL)
        })
    }

    /// Does what the clock asks for.
    fn keep_time(&mut self) {
        let now = Instant::now();
        if now >= self.collected + REAP_INTERVAL {
            orphans::reap_except(self.process.id());
            self.collected = now;
        }
        match &mut self.stopping {
            Some(stopping) if stopping.kill_at.is_some_and(|moment| moment <= now) => {
                stopping.kill_at = None;
                self.process.signal(Signal::KILL);
            }
            None if self.deadline.is_some_and(|moment| moment <= now) => {
                self.stop(MonitorEnd::TimedOut);
            }
            Some(_) | None => {}
        }
    }

    /// Begins to end the command, unless that has begun already.
    fn stop(&mut self, why: MonitorEnd) {
        if self.stopping.is_some() {
            return;
        }
        let at_once = self.grace.is_zero() || matches!(why, MonitorEnd::InputLost(_));
        self.process
            .signal(if at_once { Signal::KILL } else { Signal::TERM });
        self.stopping = Some(Termination {
            why,
            kill_at: (!at_once).then(|| Instant::now() + self.grace),
        });
    }

    /// Takes note of a failure. Who has nothing new to say of the datum in hand wants the next one.
    fn handle(&mut self, request: NextDatumRequest) -> Option<MonitorEnd> {
        match &request.word {
            NextDatumMessage::Failed(reason) if self.failed.is_none() => {
                self.failed = Some(reason.clone());
                request.acknowledge();
                None
            }
            NextDatumMessage::Failed(_) | NextDatumMessage::Next => {
                Some(MonitorEnd::Asked(request, self.failed.take()))
            }
        }
    }

    fn feed(&mut self) {
        if let Some(Err(lost)) = self.fifo_writer.as_mut().map(FifoWriter::feed) {
            self.fifo_writer = None;
            self.stop(MonitorEnd::InputLost(lost));
        }
    }
}

/// Waits until something happens to one of these, or patience is at its end.
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
