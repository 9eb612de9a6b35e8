//! Monitoring of a running command: output, time limit, FIFOs, `next-datum` requests, cancellation by the worker.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use super::fifo_writer::FifoWriter;
use super::line_splitter::Stream;
use super::log::CommandLog;
use super::process::{CommandProcess, wait_for};
use crate::runner::frame::{self, RunnerRequest};
use crate::runner::next_datum::{NextDatumMessage, NextDatumRequest, NextDatumSocket};
use crate::runner::order::Order;

/// Monitors a running command.
pub(super) struct CommandMonitor<'a> {
    process: &'a mut CommandProcess,
    log: &'a mut CommandLog,
    fifo_writer: Option<FifoWriter>,
    next_datum_socket: Option<&'a mut NextDatumSocket>,
    /// Reason of a failure reported for the current datum.
    failed: Option<String>,
    deadline: Option<Instant>,
    /// Time from TERM to KILL; zero sends KILL at once.
    grace: Duration,
    stopping: Option<Termination>,
}

/// A command that is being terminated.
struct Termination {
    why: MonitorEnd,
    kill_at: Option<Instant>,
}

/// Why monitoring ended.
pub(super) enum MonitorEnd {
    /// The command exited on its own.
    Ended,
    /// A `next-datum` request, and the reason if the command reported a failure of the current datum.
    Asked(NextDatumRequest, Option<String>),
    /// The command was terminated at its timeout.
    TimedOut,
    /// The command was terminated because the worker cancelled the attempt.
    Cancelled,
    /// The command was terminated because an input could not be read; contains the message.
    InputLost(String),
    /// The worker has exited; the command may still run.
    WorkerGone,
}

/// Events of a running command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MonitorEvent {
    Request,
    Ended,
    Asked,
    Output(Stream),
    Fifo,
}

impl<'a> CommandMonitor<'a> {
    /// Monitors `process`, which was given the order at `started`.
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
        }
    }

    /// Also fills FIFOs.
    pub(super) fn with_fifos(self, fifo_writer: Option<FifoWriter>) -> Self {
        Self {
            fifo_writer,
            ..self
        }
    }

    /// Also accepts `next-datum` requests.
    pub(super) fn with_socket(self, next_datum_socket: &'a mut NextDatumSocket) -> Self {
        Self {
            next_datum_socket: Some(next_datum_socket),
            ..self
        }
    }

    /// Runs until the main process exits or requests a datum, or until the worker exits.
    pub(super) fn watch(mut self, requests: &mut File) -> io::Result<MonitorEnd> {
        loop {
            if let Some(asked) = self.receive_requests() {
                return Ok(asked);
            }
            for event in self.wait(requests)? {
                match event {
                    MonitorEvent::Output(stream) => self.process.take(stream, Some(self.log)),
                    MonitorEvent::Fifo => self.feed(),
                    MonitorEvent::Asked => {
                        if let Some(asked) = self.receive_requests() {
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
                        Ok(Some(RunnerRequest::Kill)) => self.kill(),
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

    /// Waits for events or for the next deadline. The end of the command is the last event.
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
        // A command in termination gets no further datum.
        if let (Some(socket), None) = (&self.next_datum_socket, &self.stopping) {
            let descriptors = socket.descriptors();
            events.extend(descriptors.map(|each| (MonitorEvent::Asked, each, PollFlags::IN)));
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

    /// Time until the next deadline.
    fn timeout(&self) -> Duration {
        let next = match &self.stopping {
            Some(stopping) => stopping.kill_at,
            None => self.deadline,
        };
        next.map_or(Duration::MAX, |moment| {
            moment.saturating_duration_since(Instant::now())
        })
    }

    /// Enforces the time limit and the grace period.
    fn keep_time(&mut self) {
        let now = Instant::now();
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

    /// Starts the termination of the command, unless one is under way.
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

    /// Ends the command at once, even if its termination is under way.
    fn kill(&mut self) {
        self.grace = Duration::ZERO;
        self.stop(MonitorEnd::Cancelled);
        self.process.signal(Signal::KILL);
    }

    /// Handles complete `next-datum` requests; a command in termination gets no further datum.
    fn receive_requests(&mut self) -> Option<MonitorEnd> {
        while self.stopping.is_none() {
            let request = self.next_datum_socket.as_mut()?.receive()?;
            if let Some(asked) = self.handle(request) {
                return Some(asked);
            }
        }
        None
    }

    /// Records a failure report. A second report, or a plain request, asks for the next datum.
    fn handle(&mut self, request: NextDatumRequest) -> Option<MonitorEnd> {
        match &request.message {
            NextDatumMessage::Failed(reason) if self.failed.is_none() => {
                self.failed = Some(reason.clone());
                if let Some(socket) = self.next_datum_socket.as_mut() {
                    request.acknowledge(socket);
                }
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
