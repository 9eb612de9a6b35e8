//! Publisher → workers: datums to do.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::id::JobId;

/// Datums to do, in one message: one, or a set. The set is acked as a whole, its datums are committed one by one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Task {
    /// The job; its spec is in the ledger.
    pub job: JobId,
    /// The datums.
    pub datums: TaskDatums,
    /// How many datums the job has, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Whether an earlier message may have brought these datums already: who takes them looks first whether they
    /// have ended, as for a redelivery.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// For traces; none where nothing is traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// What a trace goes on with.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Trace {
    /// The span of the publication, as W3C's `traceparent`.
    pub parent: String,
    /// When the message was published.
    pub published: Timestamp,
}

/// The datums of a task: in the message itself, or where to read them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskDatums {
    /// In the message, in order, not empty.
    Inline(Vec<Datum>),
    /// In the manifest; for what would make a message too large.
    Manifest(ManifestRange),
}

/// Datums of one segment of the manifest. Those in it that are marked as done are not part of the task.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ManifestRange {
    /// The segment, by the index of its first datum.
    pub segment: u64,
    /// Index of the first datum of the range.
    pub first: u64,
    /// How many entries of the manifest the range spans, at least 1.
    pub count: u64,
}
