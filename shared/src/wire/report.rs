//! Workers → coordinator: reports about datums.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::datum::{IndexRanges, Verdict};
use crate::id::{JobId, WorkerId};

/// A report about a job, usually about a datum of the job.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// The job.
    pub job: JobId,
    /// Earlier deliveries of the message.
    pub redeliveries: u32,
    /// The event.
    pub event: Event,
}

impl Report {
    /// True if all numbers are such as a worker reports.
    pub fn is_plausible(&self) -> bool {
        match &self.event {
            Event::Ended { verdict, .. } => verdict.is_plausible(),
            Event::Running { .. }
            | Event::Retrying { .. }
            | Event::Committed { .. }
            | Event::Held { .. }
            | Event::Released { .. } => true,
        }
    }
}

/// An event of a datum or of a worker. Only `Ended` and `Committed` are durable; the other events may be lost.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An attempt begins to run.
    Running {
        /// The datum's place in the job.
        index: u64,
        /// The attempt, counted from 1.
        attempt: u32,
        /// The worker running the attempt.
        worker: WorkerId,
        /// Since when.
        since: Timestamp,
        /// Size of the datum's inputs; none from an older Drover.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_bytes: Option<u64>,
    },
    /// An attempt failed; the datum will be retried.
    Retrying {
        /// The datum's place in the job.
        index: u64,
        /// The failed attempt.
        attempt: u32,
        /// The worker that ran the attempt.
        worker: WorkerId,
    },
    /// The datum has ended and a verdict is in the ledger, written by the current worker or earlier.
    Ended {
        /// The committed verdict.
        verdict: Box<Verdict>,
        /// True if this delivery committed the verdict.
        first: bool,
    },
    /// As [`Event::Ended`], for a verdict that is too large for a message: the receiver reads the verdict from the ledger.
    Committed {
        /// The datum's place in the job.
        index: u64,
        /// True if this delivery committed the verdict.
        first: bool,
    },
    /// The datums held by a worker, in answer to an inquiry of the leader: in messages delivered and not settled yet.
    Held {
        /// Name of the inquiry.
        inquiry: String,
        /// The worker.
        worker: WorkerId,
        /// The datums of the job.
        datums: IndexRanges,
    },
    /// A worker has ended all its work of a stopped job, or of a job of which no other datum may begin.
    #[serde(rename = "let_go")]
    Released {
        /// The worker.
        worker: WorkerId,
    },
}
