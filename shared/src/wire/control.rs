//! Broadcasts to all processes: hints about changes in the store. A process that misses a hint finds the change in the
//! store a little later.

use serde::{Deserialize, Serialize};

use crate::datum::IndexRanges;
use crate::id::{JobId, PipelineName};

/// A hint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Control {
    /// To coordinators: a job waits to be coordinated.
    Submitted {
        /// The pipeline.
        pipeline: PipelineName,
        /// The job.
        job: JobId,
    },
    /// To workers: the leader asks for the held datums of a job. Each worker of the pipeline answers with
    /// [`Event::Held`](super::Event::Held).
    ReportHeld {
        /// The pipeline.
        pipeline: PipelineName,
        /// The job.
        job: JobId,
        /// Name of the inquiry, unique, to be repeated in the answer.
        inquiry: String,
        /// The term of the leader; none without a broker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term: Option<u64>,
    },
    /// To workers: datums of which several copies run have a verdict. Workers look for the verdict and end their copy.
    Committed {
        /// The job.
        job: JobId,
        /// The datums.
        datums: IndexRanges,
    },
    /// To workers: priority or share of a pipeline was changed.
    Shared {
        /// The pipeline.
        pipeline: PipelineName,
    },
    /// To workers: no other datum of a job may begin; those that run go on to their end. Each worker of the pipeline answers with
    /// [`Event::Released`](super::Event::Released) once none runs.
    Close {
        /// The job.
        job: JobId,
    },
    /// To workers: a job was stopped. Workers kill the job's commands and drop its queued datums.
    Stop {
        /// The job.
        job: JobId,
    },
}
