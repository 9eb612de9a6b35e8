//! Workers → coordinator: what became of datums.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::datum::Verdict;
use crate::id::{JobId, WorkerId};

/// News about a job, as a rule about one of its datums.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// The job.
    pub job: JobId,
    /// Deliveries of the message before this one.
    pub redeliveries: u32,
    /// What happened.
    pub event: Event,
}

/// What happened to a datum. Only `Ended` is durable; the others may be lost.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An attempt begins to run.
    Running {
        /// The datum's place in the job.
        index: u64,
        /// The attempt, counted from 1.
        attempt: u32,
        /// Who runs it.
        worker: WorkerId,
        /// Since when.
        since: Timestamp,
    },
    /// An attempt failed; another follows.
    Retrying {
        /// The datum's place in the job.
        index: u64,
        /// The attempt that failed.
        attempt: u32,
        /// Who ran it.
        worker: WorkerId,
    },
    /// The datum has ended; its verdict is committed. The verdict is the one in the ledger, this worker's or an earlier one.
    Ended {
        /// The committed verdict.
        verdict: Box<Verdict>,
        /// Whether this very delivery committed it.
        first: bool,
    },
    /// A worker has ended all it ran of a job that was stopped.
    Released {
        /// Who.
        worker: WorkerId,
    },
}
