//! Watching a command while it runs: its output, its time, its FIFOs, what it asks for, and the worker's wish to end it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Signal;

use super::asks::{Ask, Asks, Word};
use super::feeder::Feeder;
use super::leftovers;
use super::log::{Log, Stream};
use super::process::Process;
use crate::runner::frame::{self, Request};
use crate::runner::order::Order;

/// How often orphans that have ended are collected while the command runs.
const COLLECTING: Duration = Duration::from_secs(1);

/// Watches a command that runs.
pub(super) struct Supervisor<'a> {
    process: &'a mut Process,
    log: &'a mut Log,
    feeder: Option<Feeder>,
    asks: Option<&'a Asks>,
    /// Why the datum in hand has failed, if that was said.
    failed: Option<String>,
    deadline: Option<Instant>,
    /// From TERM to KILL; zero kills at once.
    grace: Duration,
    stopping: Option<Stopping>,
    /// When orphans were last collected.
    collected: Instant,
}

/// A command that was told to end.
struct Stopping {
    why: Watched,
    kill_at: Option<Instant>,
}

/// Why the watching is over.
pub(super) enum Watched {
    /// The command ended by itself.
    Ended,
    /// It wants its next datum; why the one in hand has failed, if that was said.
    Asked(Ask, Option<String>),
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
enum Event {
    Request,
    Ended,
    Asked,
    Output(Stream),
    Fifo,
}

impl<'a> Supervisor<'a> {
    /// Watches `process`, which began with this order when `started`.
    pub(super) fn of(
        process: &'a mut Process,
        log: &'a mut Log,
        order: &Order,
        started: Instant,
    ) -> Self {
        Self {
            process,
            log,
            feeder: None,
            asks: None,
            failed: None,
            deadline: order.timeout.map(|timeout| started + timeout),
            grace: order.grace,
            stopping: None,
            collected: started,
        }
    }

    /// Fills its FIFOs, too.
    pub(super) fn feeding(self, feeder: Option<Feeder>) -> Self {
        Self { feeder, ..self }
    }

    /// Hears it ask for its next datum, too.
    pub(super) fn hearing(self, asks: &'a Asks) -> Self {
        Self {
            asks: Some(asks),
            ..self
        }
    }

    /// Watches until the command's main process has ended or asks for more, or the worker is gone.
    pub(super) fn watch(mut self, requests: &mut File) -> io::Result<Watched> {
        loop {
            for event in self.wait(requests)? {
                match event {
                    Event::Output(stream) => self.process.take(stream, Some(self.log)),
                    Event::Fifo => self.feed(),
                    Event::Asked => {
                        let ask = self.asks.and_then(Asks::accept);
                        if let Some(asked) = ask.and_then(|ask| self.hear(ask)) {
                            return Ok(asked);
                        }
                    }
                    Event::Ended => {
                        return Ok(self
                            .stopping
                            .map_or(Watched::Ended, |stopping| stopping.why));
                    }
                    Event::Request => match frame::read(requests) {
                        Ok(Some(Request::Cancel)) => self.stop(Watched::Cancelled),
                        Ok(None) | Err(_) => return Ok(Watched::WorkerGone),
                        Ok(Some(Request::Setup(_) | Request::Base(_) | Request::Run(_))) => {
                            return Err(io::ErrorKind::InvalidData.into());
                        }
                    },
                }
            }
            self.keep_time();
        }
    }

    /// Waits until something happens or it is time to look at the clock. The command's end comes last.
    fn wait(&self, requests: &File) -> io::Result<Vec<Event>> {
        let mut events: Vec<(Event, BorrowedFd<'_>, PollFlags)> = self
            .process
            .outputs()
            .map(|(stream, pipe)| (Event::Output(stream), pipe, PollFlags::IN))
            .collect();
        if let Some(feeder) = &self.feeder {
            let (news, filling) = feeder.descriptors();
            events.push((Event::Fifo, news, PollFlags::IN));
            events.extend(filling.map(|pipe| (Event::Fifo, pipe, PollFlags::OUT)));
        }
        // Who is told to end gets nothing more.
        if let Some(asks) = self.asks.filter(|_| self.stopping.is_none()) {
            events.push((Event::Asked, asks.as_fd(), PollFlags::IN));
        }
        events.push((Event::Request, requests.as_fd(), PollFlags::IN));
        events.push((Event::Ended, self.process.ending(), PollFlags::IN));
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
            leftovers::reap_but(self.process.id());
            self.collected = now;
        }
        match &mut self.stopping {
            Some(stopping) if stopping.kill_at.is_some_and(|moment| moment <= now) => {
                stopping.kill_at = None;
                self.process.signal(Signal::KILL);
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
        let at_once = self.grace.is_zero() || matches!(why, Watched::InputLost(_));
        self.process
            .signal(if at_once { Signal::KILL } else { Signal::TERM });
        self.stopping = Some(Stopping {
            why,
            kill_at: (!at_once).then(|| Instant::now() + self.grace),
        });
    }

    /// Takes note of a failure. Who has nothing new to say of the datum in hand wants the next one.
    fn hear(&mut self, ask: Ask) -> Option<Watched> {
        match &ask.word {
            Word::Failed(reason) if self.failed.is_none() => {
                self.failed = Some(reason.clone());
                ask.note();
                None
            }
            Word::Failed(_) | Word::Next => Some(Watched::Asked(ask, self.failed.take())),
        }
    }

    fn feed(&mut self) {
        if let Some(Err(lost)) = self.feeder.as_mut().map(Feeder::feed) {
            self.feeder = None;
            self.stop(Watched::InputLost(lost));
        }
    }
}

/// Waits until something happens to one of these, or patience is at its end.
pub(super) fn wait_for(watched: &mut [PollFd<'_>], patience: Duration) -> io::Result<()> {
    let patience = Timespec::try_from(patience).unwrap_or(Timespec {
        tv_sec: i64::MAX,
        tv_nsec: 0,
    });
    match poll(watched, Some(&patience)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
