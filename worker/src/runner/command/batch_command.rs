//! Batch commands (`datum_batching`): started once, and shown the next datum on request.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::attempt::{Attempt, AttemptOutcome, execution_of, finish};
use super::fifo_writer::FifoWriter;
use super::line_splitter::Stream;
use super::log::CommandLog;
use super::monitor::{CommandMonitor, MonitorEnd};
use super::process::{CommandProcess, wait_for};
use crate::runner::filesystem::DatumFilesystem;
use crate::runner::next_datum::{NextDatumRequest, NextDatumSocket};
use crate::runner::start_error::StartError;
use crate::runner::{Ending, Execution, Order};

/// A batch command between two datums, or before its first.
pub(in crate::runner) struct BatchCommand {
    /// The order that started the command.
    order: Order,
    process: CommandProcess,
    next_datum_socket: NextDatumSocket,
    /// The pending `next-datum` request.
    pending: Option<NextDatumRequest>,
}

/// How the idle time between two datums ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::runner) enum IdleEnd {
    /// The worker sent a request.
    Request,
    /// The command exited, or the idle limit was reached.
    Over,
}

impl BatchCommand {
    /// True if the order would start the same command.
    pub(in crate::runner) fn matches(&self, order: &Order) -> bool {
        let own = &self.order;
        order.batch.is_some()
            && (&own.argv, &own.stdin) == (&order.argv, &order.stdin)
            && (&own.base, &own.env) == (&order.base, &order.env)
            && (&own.user, &own.working_dir) == (&order.user, &order.working_dir)
    }

    /// Waits for a request of the worker, at most `idle`. Output of the command is discarded meanwhile, since it
    /// belongs to no datum.
    pub(in crate::runner) fn wait_idle(
        &mut self,
        requests: &File,
        idle: Duration,
    ) -> io::Result<IdleEnd> {
        let until = Instant::now() + idle;
        loop {
            let outputs: Vec<_> = self.process.outputs().collect();
            let mut watched = vec![
                PollFd::new(requests, PollFlags::IN),
                PollFd::from_borrowed_fd(self.process.ending(), PollFlags::IN),
            ];
            let pipes = outputs.iter().map(|&(_, pipe)| pipe);
            watched.extend(pipes.map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
            wait_for(
                &mut watched,
                until.saturating_duration_since(Instant::now()),
            )?;
            let happened = |place: usize| !watched[place].revents().is_empty();
            if happened(0) {
                return Ok(IdleEnd::Request);
            }
            if happened(1) || Instant::now() >= until {
                return Ok(IdleEnd::Over);
            }
            let ready: Vec<Stream> = outputs
                .iter()
                .enumerate()
                .filter_map(|(place, &(stream, _))| happened(place + 2).then_some(stream))
                .collect();
            for stream in ready {
                self.process.take(stream, None);
            }
        }
    }

    /// Ends the command and all its processes.
    pub(in crate::runner) fn terminate(
        mut self,
        filesystem: &mut DatumFilesystem,
    ) -> io::Result<()> {
        self.process.end()?;
        filesystem.withdraw_next_datum();
        Ok(())
    }
}

impl Attempt<'_> {
    /// Gives the datum to the batch command in `kept`, which is started if missing, and waits for the next request.
    /// The command is put back into `kept` only then. `variables` are the contents of `/pfs/.env`.
    pub(in crate::runner) fn run_batch(
        mut self,
        variables: &str,
        kept: &mut Option<BatchCommand>,
        requests: &mut File,
    ) -> io::Result<AttemptOutcome> {
        let started = Instant::now();
        let mut log = self.log();
        let mut batch_command = match kept.take() {
            Some(running) => running,
            None => match self.start() {
                Ok(begun) => begun?,
                Err(start_error) => return Ok(self.refuse(start_error)),
            },
        };
        // The client may have exited meanwhile; the command will then send another request.
        loop {
            if let Some(request) = batch_command.pending.take() {
                if let Err(start_error) = self.filesystem.show_batch(&self.order.inputs, variables)
                {
                    batch_command.terminate(self.filesystem)?;
                    return Ok(self.refuse(start_error));
                }
                if request.deliver(&mut batch_command.next_datum_socket) {
                    break;
                }
            }
            match self.watch(&mut batch_command, &mut log, None, requests)? {
                MonitorEnd::Asked(request, _) => batch_command.pending = Some(request),
                other => return self.finish_with(batch_command, other, log, started),
            }
        }
        let fifo_writer = FifoWriter::arm(self.filesystem.fifos())?;
        match self.watch(&mut batch_command, &mut log, fifo_writer, requests)? {
            MonitorEnd::Asked(request, failed) => {
                let ending = failed.map_or(Ending::Asked, Ending::GaveUp);
                batch_command.process.drain(&mut log)?;
                batch_command.pending = Some(request);
                *kept = Some(batch_command);
                Ok(AttemptOutcome::Ended(Execution {
                    output: self.filesystem.has_output(),
                    ..execution_of(ending, log, started.elapsed())
                }))
            }
            other => self.finish_with(batch_command, other, log, started),
        }
    }

    /// Starts the command, with nothing at `/pfs` yet.
    fn start(&mut self) -> Result<io::Result<BatchCommand>, StartError> {
        self.filesystem.hide(&self.order.inputs, self.identity)?;
        let place = self
            .filesystem
            .provide_next_datum()
            .map_err(StartError::Slot)?;
        let next_datum_socket = NextDatumSocket::listen(&place).map_err(|error| {
            StartError::Slot(format!(
                "the next-datum socket in {} cannot be created: {error}",
                place.display()
            ))
        })?;
        let process = self.launch()?;
        Ok(process.map(|process| BatchCommand {
            order: self.order.clone(),
            process,
            next_datum_socket,
            pending: None,
        }))
    }

    /// Monitors the command from now on; the time limit starts anew with each request.
    fn watch(
        &self,
        batch_command: &mut BatchCommand,
        log: &mut CommandLog,
        fifo_writer: Option<FifoWriter>,
        requests: &mut File,
    ) -> io::Result<MonitorEnd> {
        CommandMonitor::of(&mut batch_command.process, log, self.order, Instant::now())
            .with_fifos(fifo_writer)
            .with_socket(&mut batch_command.next_datum_socket)
            .watch(requests)
    }

    /// The command ended, and the attempt with it.
    fn finish_with(
        self,
        batch_command: BatchCommand,
        watched: MonitorEnd,
        log: CommandLog,
        started: Instant,
    ) -> io::Result<AttemptOutcome> {
        let outcome = finish(watched, batch_command.process, log, started);
        self.filesystem.withdraw_next_datum();
        outcome
    }

    /// The datum could not be given to the command.
    fn refuse(self, start_error: StartError) -> AttemptOutcome {
        self.filesystem.withdraw_next_datum();
        start_error.into()
    }
}
