//! Workers inside the process of a leader.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::WorkerId;
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::{Parallelism, Pipeline};
use drover_shared::process::{Tokens, host_name};
use drover_shared::queue::Broker;
use drover_worker::runner::CommandLimits;
use drover_worker::{Cancellations, Settings, WorkError, one_slot_a_cpu, scratch_for, work};

/// Messages that each embedded queue holds; more than a leader ever publishes ahead.
pub const QUEUE_CAPACITY: usize = 4096;

/// Settings of the workers inside the current process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LocalWorkers {
    /// Datums that run at the same time; by default the spec's constant, else one a CPU.
    pub slots: Option<NonZeroU16>,
    /// Bytes of memory that all commands may use together; by default what is available, less a reserve.
    pub memory: Option<u64>,
    /// Bytes of disk that a datum may fill in scratch; no limit by default.
    pub scratch_limit: Option<u64>,
    /// Datums staged ahead for each slot; by default as the spec says.
    pub look_ahead: Option<u32>,
    /// From TERM to KILL, for a command that must end.
    pub term_grace: Duration,
    /// Parent of the working directories; by default below the store's `.drover`, or the system's temporary folder if
    /// the store is a bucket.
    pub scratch: Option<PathBuf>,
    /// True if commands keep all capabilities of the current process.
    pub privileged: bool,
    /// Limits of the resources of commands.
    pub limits: CommandLimits,
    /// The life of the process: on a soft cancellation the workers finish what runs.
    pub tokens: Tokens,
    /// Fate of the running job when the process is asked to end.
    pub on_shutdown: OnShutdown,
}

/// Fate of a running job when its process is asked to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnShutdown {
    /// The job ends, as `killed`.
    EndJob,
    /// The job stays as it is, for the next leader.
    LeaveJob,
}

impl LocalWorkers {
    /// Datums of the pipeline that run at the same time.
    pub(super) fn slots(&self, pipeline: &Pipeline) -> NonZeroU16 {
        self.slots
            .unwrap_or_else(|| default_slots(pipeline.parallelism))
    }

    /// Datums staged ahead, for each slot.
    pub(super) fn look_ahead(&self, pipeline: &Pipeline) -> u32 {
        self.look_ahead.unwrap_or(pipeline.look_ahead)
    }

    /// Works on the datums of the given pipelines until `tokens` are cancelled; the first one decides the slots. The tokens
    /// are a [child](Tokens::child) of [`LocalWorkers::tokens`], and `cancellations` are made from their hard token.
    pub async fn work(
        &self,
        pipelines: &[&Pipeline],
        ledger: Ledger,
        broker: Arc<dyn Broker>,
        cancellations: Cancellations,
        tokens: Tokens,
    ) -> Result<(), WorkError> {
        let Some(first) = pipelines.first() else {
            return Ok(());
        };
        let settings = self.settings(first, &ledger);
        let names: Vec<_> = pipelines.iter().map(|each| each.name.clone()).collect();
        let working = work(settings, ledger, broker, names, cancellations, tokens);
        // The end of the process waits for tracked work.
        self.tokens.tracker.track_future(Box::pin(working)).await
    }

    fn settings(&self, pipeline: &Pipeline, ledger: &Ledger) -> Settings {
        let scratch = scratch_for(ledger.store(), self.scratch.clone());
        let worker = WorkerId::generate(&host_name());
        let defaults = Settings::new(worker, self.slots(pipeline), scratch);
        Settings {
            memory: self.memory,
            scratch_limit: self.scratch_limit,
            look_ahead: u16::try_from(self.look_ahead(pipeline)).unwrap_or(u16::MAX),
            term_grace: self.term_grace,
            privileged: self.privileged,
            limits: self.limits,
            ..defaults
        }
    }
}

fn default_slots(parallelism: Parallelism) -> NonZeroU16 {
    match parallelism {
        Parallelism::Constant(workers) => NonZeroU16::try_from(workers).unwrap_or(NonZeroU16::MAX),
        Parallelism::Coefficient(_) => one_slot_a_cpu(),
    }
}
