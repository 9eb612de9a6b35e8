//! A job in buckets of equal length.

use drover_shared::id::WorkerId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A job over time, in buckets of equal length.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Timeline {
    /// Begin of the first bucket.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) from: Timestamp,
    /// End of the last bucket: the end of the job, or now.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) to: Timestamp,
    /// Length of a bucket in seconds.
    pub(super) bucket: f64,
    /// The first 200 workers.
    pub(super) workers: Vec<WorkerLine>,
    /// Ended datums by bucket.
    pub(super) throughput: Vec<f64>,
    /// Latency of datums in seconds: staging, commands and storing, without waiting.
    pub(super) latency: Latency,
    /// Latency of the datums that ended in each bucket.
    pub(super) latency_by_bucket: Latencies,
    /// Average age in seconds, since the begin of the job, of the datums whose commands began in a bucket; null where none
    /// began.
    pub(super) queue_age: Vec<Option<f64>>,
    /// Share of the job that was read. Below 1 the figures are estimates: unread datums count as evenly spread between the
    /// read ones around them.
    pub(super) sampled: f64,
}

/// A worker over time.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub(super) struct WorkerLine {
    pub(super) worker: WorkerId,
    /// Busy share of each bucket, at most 1; concurrent datums are summed.
    pub(super) busy: Vec<f64>,
    /// Ended datums by bucket.
    pub(super) ended: Vec<f64>,
    /// Failed datums by bucket.
    pub(super) failed: Vec<f64>,
}

/// Percentiles of latency in seconds.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50: Option<f64>,
    pub(super) p90: Option<f64>,
    pub(super) p99: Option<f64>,
}

/// [`Latency`] of each bucket; null for an empty bucket.
#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
pub(super) struct Latencies {
    pub(super) p50: Vec<Option<f64>>,
    pub(super) p90: Vec<Option<f64>>,
    pub(super) p99: Vec<Option<f64>>,
}
