//! A pipeline as meant: every default filled in, every value checked.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Input, Transform};
use crate::id::PipelineName;

/// A pipeline as meant. Fields that only Kubernetes needs stay in the spec as typed.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Identity; also the output folder.
    pub name: PipelineName,
    /// Free text; empty when not given.
    pub description: String,
    /// The command and its surroundings.
    pub transform: Transform,
    /// Where datums come from.
    pub input: Input,
    /// How many workers.
    pub parallelism: Parallelism,
    /// Attempts in all for each datum; default 3.
    pub datum_tries: NonZeroU32,
    /// Longest time for one attempt, counted from exec; none by default.
    pub datum_timeout: Option<Duration>,
    /// Longest time for the whole job; none by default.
    pub job_timeout: Option<Duration>,
    /// Whether work that succeeded before is skipped.
    pub reprocess: Reprocess,
    /// Datums that a worker stages ahead of processing, for each slot; default 2.
    pub look_ahead: u32,
    /// How many datums travel in one message.
    pub datum_set: SetRule,
    /// What happens when two datums write the same path.
    pub output_conflict: OutputConflict,
    /// Zero pods after this idle time; `None` keeps them. Default 60 s once `standby` is set.
    pub standby_after: Option<Duration>,
    /// Whether the number of workers follows the outstanding datums.
    pub autoscaling: bool,
    /// A URL to copy the output to, after success.
    pub egress: Option<String>,
}

/// How many workers a pipeline wants. See `docs/pipeline.md`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parallelism {
    /// This many.
    Constant(NonZeroU32),
    /// `max(1, floor(c × nodes))`; the default is a coefficient of 1.
    Coefficient(f64),
}

/// Which datums of an earlier job count as done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reprocess {
    /// Those that succeeded (the default).
    #[default]
    UntilSuccess,
    /// None: every job does everything.
    EveryJob,
}

/// How datums are bundled into messages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SetRule {
    /// One datum a message (the default).
    #[default]
    Single,
    /// At most this many datums a message.
    Number(NonZeroU32),
    /// A set is closed once its inputs hold this many bytes.
    SizeBytes(u64),
    /// About this many sets for each worker.
    PerWorker(NonZeroU32),
}

/// What happens when two datums of a job write the same path.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputConflict {
    /// Their files are concatenated in datum order (the default).
    #[default]
    Concat,
    /// The job fails and names the path and the datums.
    Error,
}
