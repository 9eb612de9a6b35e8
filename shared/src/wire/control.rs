//! Broadcast to all who are there: hints that something in the store wants attention. What is missed is found there
//! all the same, a little later.

use serde::{Deserialize, Serialize};

use crate::id::{JobId, PipelineName};

/// A hint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Control {
    /// To coordinators: a job waits to be coordinated.
    Submitted {
        /// Its pipeline.
        pipeline: PipelineName,
        /// The job.
        job: JobId,
    },
    /// To workers: a job was stopped. Its commands are to be killed, and what is still to come of it is dropped.
    Stop {
        /// The job.
        job: JobId,
    },
}
