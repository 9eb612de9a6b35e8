//! One attempt at running a command, in a tree that is prepared.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::feeder::Feeder;
use super::launch::launch;
use super::log::Log;
use super::supervise::{Supervisor, Watched};
use super::{Identity, leftovers};
use crate::runner::server::{Pipes, not_started};
use crate::runner::tree::Tree;
use crate::runner::{Ending, Execution, Order};

/// How long processes may take to die of KILL. What does not is stuck in the kernel, and this runner is unfit.
const DYING: Duration = Duration::from_secs(10);

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
    /// The worker is gone; nothing of the attempt is left.
    WorkerGone,
}

impl Attempt<'_> {
    /// Runs the command to its end, and leaves none of its processes behind.
    pub(in crate::runner) fn run(self, pipes: &mut Pipes) -> io::Result<Outcome> {
        let reach = |file: &Path| self.tree.reach(file).into_owned();
        let child = match launch(self.order, reach, self.identity) {
            Ok(child) => child,
            Err(message) => return Ok(Outcome::Ended(not_started(message))),
        };
        let started = Instant::now();
        let log = Log::new(
            self.tree.reach(&self.order.log).into_owned(),
            self.log_limit,
        );
        let feeder = Feeder::arm(self.tree.fifos())?;
        let mut supervisor = Supervisor::new(child, self.order, started, log, feeder)?;
        let watched = supervisor.watch(&mut pipes.requests)?;
        let process_time = started.elapsed();
        let status = supervisor.end_of_group()?;
        leftovers::sweep(DYING)?;
        let ending = match watched {
            Watched::WorkerGone => return Ok(Outcome::WorkerGone),
            Watched::Ended => Ending::of(status),
            Watched::TimedOut => Ending::TimedOut,
            Watched::Cancelled => Ending::Cancelled,
            Watched::InputLost => Ending::NotStarted(supervisor.lost_input()),
        };
        let kept = supervisor.finish()?;
        Ok(Outcome::Ended(Execution {
            ending,
            last_line: kept.last_line,
            log_bytes: kept.bytes,
            log_trouble: kept.trouble,
            process_time,
        }))
    }
}
