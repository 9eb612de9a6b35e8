//! One attempt at running a command that is started for it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Identity;
use super::feeder::Feeder;
use super::launch::launch;
use super::log::Log;
use super::process::Process;
use super::supervise::{Supervisor, Watched};
use crate::runner::hindrance::Hindrance;
use crate::runner::server::Pipes;
use crate::runner::tree::Tree;
use crate::runner::{Ending, Execution, Order};

/// All that an attempt needs.
pub(in crate::runner) struct Attempt<'a> {
    pub(in crate::runner) order: &'a Order,
    pub(in crate::runner) tree: &'a mut Tree,
    pub(in crate::runner) identity: Option<Identity>,
    pub(in crate::runner) log_limit: u64,
}

/// What became of an attempt.
pub(in crate::runner) enum Outcome {
    /// The worker wants to know how it went.
    Ended(Execution),
    /// It did not begin, for no fault of its own: the slot is of no use any more, and why.
    Unfit(String),
    /// The worker is gone; nothing of the attempt is left.
    WorkerGone,
}

impl Attempt<'_> {
    /// Shows the datum, runs the command to its end, and leaves none of its processes behind.
    pub(in crate::runner) fn run(self, pipes: &mut Pipes) -> io::Result<Outcome> {
        let prepared = self.tree.prepare(&self.order.inputs, self.identity);
        let mut process = match prepared.and_then(|()| self.launch()) {
            Ok(process) => process?,
            Err(hindrance) => return Ok(hindrance.into()),
        };
        let started = Instant::now();
        let mut log = self.log();
        let feeder = Feeder::arm(self.tree.fifos())?;
        let watched = Supervisor::of(&mut process, &mut log, self.order, started)
            .feeding(feeder)
            .watch(&mut pipes.requests)?;
        let mut outcome = over(watched, process, log, started)?;
        if let Outcome::Ended(execution) = &mut outcome {
            execution.output = self.tree.has_output_left();
        }
        Ok(outcome)
    }

    /// The command's process, or why there is none.
    pub(super) fn launch(&self) -> Result<io::Result<Process>, Hindrance> {
        let reach = |file: &Path| self.tree.reach(file).into_owned();
        launch(self.order, reach, self.identity).map(Process::of)
    }

    /// The attempt's log, with nothing in it.
    pub(super) fn log(&self) -> Log {
        let path = self.tree.reach(&self.order.log).into_owned();
        Log::new(path, self.log_limit)
    }
}

impl From<Hindrance> for Outcome {
    fn from(hindrance: Hindrance) -> Self {
        match hindrance {
            Hindrance::Order(message) => Self::Ended(Execution {
                ending: Ending::NotStarted(message),
                last_line: String::new(),
                log_bytes: 0,
                output: false,
                log_trouble: None,
                process_time: Duration::ZERO,
            }),
            Hindrance::Slot(reason) => Self::Unfit(reason),
        }
    }
}

/// Ends what is left of a command that is over, and tells how it went.
pub(super) fn over(
    watched: Watched,
    mut process: Process,
    mut log: Log,
    started: Instant,
) -> io::Result<Outcome> {
    let process_time = started.elapsed();
    let status = process.end()?;
    let ending = match watched {
        Watched::WorkerGone => return Ok(Outcome::WorkerGone),
        Watched::Ended | Watched::Asked(..) => Ending::of(status),
        Watched::TimedOut => Ending::TimedOut,
        Watched::Cancelled => Ending::Cancelled,
        Watched::InputLost(lost) => Ending::NotStarted(lost),
    };
    process.drain(&mut log)?;
    Ok(Outcome::Ended(told(ending, log, process_time)))
}

/// The answer of an attempt whose output is all taken.
pub(super) fn told(ending: Ending, log: Log, process_time: Duration) -> Execution {
    let kept = log.finish();
    Execution {
        ending,
        last_line: kept.last_line,
        log_bytes: kept.bytes,
        output: true,
        log_trouble: kept.trouble,
        process_time,
    }
}
