//! A pipeline as meant: every default filled in, every value checked.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Input, Limit, Notification, Retention, Sharing, Transform};
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
    /// Attempts of a datum that may end for want of memory; default 3.
    pub memory_tries: NonZeroU32,
    /// Resources of a datum, as asked for.
    pub requests: ResourceRequests,
    /// The job is stopped once more datums than this have failed; none by default.
    pub max_failures: Option<FailureLimit>,
    /// True to go on although the first datums of a job all fail for one cause.
    pub keep_going: bool,
    /// Limits of the datums under way, over all workers together; none by default.
    pub limits: Vec<Limit>,
    /// The rule for datums that take far longer than predicted.
    pub stragglers: StragglerRule,
    /// The place of the pipeline among the pipelines sharing workers.
    pub sharing: Sharing,
    /// The most datums of a job; default 10 million.
    pub max_datums: u64,
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
    /// Paths and globs of files and directories whose content is part of the identity of the work.
    pub code: Vec<String>,
    /// Finished jobs and logs to keep.
    pub retention: Retention,
    /// The rule for paths written by two datums.
    pub output_conflict: OutputConflict,
    /// Idle time before a pipeline is scaled to zero pods; `None` keeps the pods. Default 60 s once `standby` is set.
    pub standby_after: Option<Duration>,
    /// True if the number of workers follows the outstanding datums.
    pub autoscaling: bool,
    /// A URL to copy the output to, after success.
    pub egress: Option<String>,
    /// Receivers of the events of a job.
    pub notify: Vec<Notification>,
}

/// How many workers a pipeline wants. See `docs/pipeline.md`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parallelism {
    /// A fixed number.
    Constant(NonZeroU32),
    /// `max(1, floor(c × nodes))`; the default is a coefficient of 1.
    Coefficient(f64),
}

/// Resources requested by a spec for each running datum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceRequests {
    /// Bytes of memory; by default as predicted.
    pub memory_bytes: Option<u64>,
    /// CPUs; by default one.
    pub cpus: Option<f64>,
    /// Graphics processors.
    pub gpus: u32,
    /// Bytes of memory of the largest worker pods; none if all pods are alike.
    pub max_memory_bytes: Option<u64>,
}

/// The number of datums that may fail before a job is stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FailureLimit {
    /// A number of datums.
    Datums(u64),
    /// A share of all datums of the job, from 0 to 100.
    Percent(f64),
}

impl FailureLimit {
    /// True if a job of `total` datums with `failed` failures is over the limit.
    #[expect(
        clippy::cast_precision_loss,
        reason = "an error of one in 2⁵³ datums does not matter"
    )]
    pub fn is_exceeded(self, failed: u64, total: u64) -> bool {
        match self {
            Self::Datums(most) => failed > most,
            Self::Percent(most) => failed as f64 * 100.0 > most * total as f64,
        }
    }
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
    /// As many as take a moment, by the measured duration (the default).
    #[default]
    Automatic,
    /// At most the number of datums for each message.
    Number(NonZeroU32),
    /// A set is closed once its inputs hold the number of bytes.
    SizeBytes(u64),
    /// About the number of sets for each worker.
    PerWorker(NonZeroU32),
}

/// The rule for datums that take far longer than predicted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StragglerRule {
    /// They are waited for (the default).
    #[default]
    Wait,
    /// A second copy runs on another worker; the first commit counts.
    Copy,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_limit_is_exceeded_by_the_first_failure_beyond() {
        let rows = [
            (FailureLimit::Datums(0), 0, 5, false),
            (FailureLimit::Datums(0), 1, 5, true),
            (FailureLimit::Datums(2), 2, 5, false),
            (FailureLimit::Datums(2), 3, 5, true),
            (FailureLimit::Percent(0.0), 1, 5, true),
            (FailureLimit::Percent(20.0), 1, 5, false),
            (FailureLimit::Percent(20.0), 2, 5, true),
            (FailureLimit::Percent(100.0), 5, 5, false),
            (FailureLimit::Percent(100.0), 0, 0, false),
        ];
        for (limit, failed, total, exceeded) in rows {
            assert_eq!(
                limit.is_exceeded(failed, total),
                exceeded,
                "{limit:?}: {failed} of {total}"
            );
        }
    }
}
