//! An attempt with a command of its own.

use std::fs::File;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::fifo_writer::FifoWriter;
use super::launch::launch;
use super::log::CommandLog;
use super::monitor::{CommandMonitor, MonitorEnd};
use super::process::CommandProcess;
use crate::runner::execution::CommandCost;
use crate::runner::filesystem::DatumFilesystem;
use crate::runner::identity::Identity;
use crate::runner::spawner::Spawner;
use crate::runner::start_error::StartError;
use crate::runner::{Ending, Execution, Order};

/// The parameters of an attempt.
pub(in crate::runner) struct Attempt<'a> {
    pub(in crate::runner) order: &'a Order,
    pub(in crate::runner) spawner: &'a Rc<Spawner>,
    pub(in crate::runner) filesystem: &'a mut DatumFilesystem,
    pub(in crate::runner) identity: Option<Identity>,
    pub(in crate::runner) log_limit: u64,
}

/// Result of an attempt.
pub(in crate::runner) enum AttemptOutcome {
    /// The attempt ended; the worker gets this result.
    Ended(Execution),
    /// The attempt did not start because the slot is unfit, for the reason.
    Unfit(String),
    /// The worker has exited; all processes of the attempt have ended.
    WorkerGone,
}

impl Attempt<'_> {
    /// Shows the datum, runs the command to its end, and ends all its processes.
    pub(in crate::runner) fn run(self, requests: &mut File) -> io::Result<AttemptOutcome> {
        let prepared = self.filesystem.prepare(&self.order.inputs, self.identity);
        let mut process = match prepared.and_then(|()| self.launch()) {
            Ok(process) => process?,
            Err(start_error) => return Ok(start_error.into()),
        };
        let started = Instant::now();
        let mut log = self.log();
        let fifo_writer = FifoWriter::arm(self.filesystem.fifos())?;
        let watched = CommandMonitor::of(&mut process, &mut log, self.order, started)
            .with_fifos(fifo_writer)
            .watch(requests)?;
        let mut outcome = finish(watched, process, log, started)?;
        if let AttemptOutcome::Ended(execution) = &mut outcome {
            execution.output = self.filesystem.has_output_left();
        }
        Ok(outcome)
    }

    /// Starts the command.
    pub(super) fn launch(&self) -> Result<io::Result<CommandProcess>, StartError> {
        let reach = |file: &Path| self.filesystem.reach(file).into_owned();
        launch(self.order, self.spawner, reach, self.identity)
    }

    /// A new log for the attempt.
    pub(super) fn log(&self) -> CommandLog {
        let path = self.filesystem.reach(&self.order.log).into_owned();
        CommandLog::new(path, self.log_limit)
    }
}

impl From<StartError> for AttemptOutcome {
    fn from(start_error: StartError) -> Self {
        match start_error {
            StartError::Order(message) => Self::Ended(Execution {
                ending: Ending::NotStarted(message),
                last_line: String::new(),
                log_bytes: 0,
                output: false,
                log_trouble: None,
                process_time: Duration::ZERO,
                cost: CommandCost::default(),
            }),
            StartError::Slot(reason) => Self::Unfit(reason),
        }
    }
}

/// Ends the remaining processes of a command and returns the result.
pub(super) fn finish(
    watched: MonitorEnd,
    mut process: CommandProcess,
    mut log: CommandLog,
    started: Instant,
) -> io::Result<AttemptOutcome> {
    let process_time = started.elapsed();
    let (status, ended) = process.end()?;
    let ending = match watched {
        MonitorEnd::WorkerGone => return Ok(AttemptOutcome::WorkerGone),
        MonitorEnd::Ended | MonitorEnd::Asked(..) => Ending::of(status),
        MonitorEnd::TimedOut => Ending::TimedOut,
        MonitorEnd::Cancelled => Ending::Cancelled,
        MonitorEnd::InputLost(lost) => Ending::NotStarted(lost),
    };
    process.drain(&mut log)?;
    let mut execution = execution_of(ending, log, process_time);
    execution.cost.ended = ended;
    Ok(AttemptOutcome::Ended(execution))
}

/// The result of an attempt whose output was read completely.
pub(super) fn execution_of(ending: Ending, log: CommandLog, process_time: Duration) -> Execution {
    let kept = log.finish();
    Execution {
        ending,
        last_line: kept.last_line,
        log_bytes: kept.bytes,
        output: true,
        log_trouble: kept.trouble,
        process_time,
        cost: CommandCost::default(),
    }
}
