//! Publisher → workers: datums to do.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::datum::{CommitUnit, Datum, IndexRanges};
use crate::id::{JobId, StoreId};

/// Datums to process, in one message: a single datum, or datums of a set.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Task {
    /// The job; the spec is in the ledger.
    pub job: JobId,
    /// The datums.
    pub datums: TaskDatums,
    /// How all the datums are committed; none from an older Drover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<CommitUnit>,
    /// The number of datums in the job, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// True if an earlier message may have delivered the datums: the worker first looks for their verdicts, as after
    /// a redelivery.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// True for second copies of running datums: a worker that runs the datums itself hands the message back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
    /// The store of the job; none from an older Drover, and without a broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// The term of the leader that published the message; none from an older Drover, and without a broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// The trace context; none without tracing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

impl TaskDatums {
    /// The indexes of the datums; those of a range that were skipped, too.
    pub fn indexes(&self) -> IndexRanges {
        match self {
            Self::Inline(datums) => datums.iter().map(|datum| datum.index).collect(),
            Self::Manifest(range) => vec![(range.first, range.count)].into(),
        }
    }
}

/// Trace context of a message.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Trace {
    /// The span of the publication, as W3C's `traceparent`.
    pub parent: String,
    /// When the message was published.
    pub published: Timestamp,
}

/// The datums of a task: inline, or by reference to the manifest.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskDatums {
    /// In the message, in order, not empty.
    Inline(Vec<Datum>),
    /// A range of the manifest, for sets that would make a message too large.
    Manifest(ManifestRange),
}

/// A range within a segment of the manifest. Datums marked as done are not part of the task.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ManifestRange {
    /// The segment, by the index of its first datum.
    pub segment: u64,
    /// Index of the first datum of the range.
    pub first: u64,
    /// How many entries of the manifest the range spans, at least 1.
    pub count: u64,
}
