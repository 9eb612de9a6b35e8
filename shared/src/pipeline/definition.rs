//! A pipeline as meant: every default filled in, every value checked.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Input, Transform};
use crate::id::PipelineName;

/// A resolved pipeline. Fields used only on Kubernetes stay in the typed spec.
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
    /// Time limit of an attempt, counted from exec; none by default.
    pub datum_timeout: Option<Duration>,
    /// Longest time for the whole job; none by default.
    pub job_timeout: Option<Duration>,
    /// Selects the earlier work to skip.
    pub reprocess: Reprocess,
    /// Datums staged ahead of processing by a worker, for each slot; default 2.
    pub look_ahead: u32,
    /// The number of datums in a message.
    pub datum_set: SetRule,
    /// The rule for paths written by two datums.
    pub output_conflict: OutputConflict,
    /// Idle time before a pipeline is scaled to zero pods; `None` keeps the pods. Default 60 s once `standby` is set.
    pub standby_after: Option<Duration>,
    /// True if the number of workers follows the outstanding datums.
    pub autoscaling: bool,
    /// A URL to copy the output to, after success.
    pub egress: Option<String>,
}

/// How many workers a pipeline wants. See `docs/pipeline.md`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parallelism {
    /// A fixed number.
    Constant(NonZeroU32),
    /// `max(1, floor(c × nodes))`; the default is a coefficient of 1.
    Coefficient(f64),
}

/// Which datums of an earlier job count as done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reprocess {
    /// Successful datums are skipped (the default).
    #[default]
    UntilSuccess,
    /// None: every job does everything.
    EveryJob,
}

/// How datums are bundled into messages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SetRule {
    /// A datum for each message (the default).
    #[default]
    Single,
    /// At most this number of datums for each message.
    Number(NonZeroU32),
    /// A set is closed once its inputs hold this number of bytes.
    SizeBytes(u64),
    /// About this number of sets for each worker.
    PerWorker(NonZeroU32),
}

/// The rule for paths written by two datums of a job.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputConflict {
    /// The files are concatenated in datum order (the default).
    #[default]
    Concat,
    /// The job fails and names the path and the datums.
    Error,
}
