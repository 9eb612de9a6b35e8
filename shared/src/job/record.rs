//! The job record: printed by `drover job` and kept in the store.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FirstDatums, JobState, ResourceSummary};
use crate::datum::StageStats;
use crate::id::{JobId, PipelineName};

/// The public record of a job; its JSON is a contract (`docs/cli.md`).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct JobRecord {
    /// The job.
    #[serde(rename = "job")]
    pub id: JobId,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The state.
    pub state: JobState,
    /// The reason of a failure or a stop.
    pub reason: Option<String>,
    /// True if the job ended before its last datum as it was told to, without a failure: by `--halt` or after its `--first` datums.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended_as_told: bool,
    /// The time of submission.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created: Timestamp,
    /// The start of the first datum.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started: Option<Timestamp>,
    /// The time of the final state.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished: Option<Timestamp>,
    /// How many datums ended how.
    pub datums: Counts,
    /// Sums over all datums.
    pub stats: StageStats,
    /// Resources that the commands used; absent while no datum was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<ResourceSummary>,
    /// For a job of `--first`: size and estimated need of the whole job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstDatums>,
    /// Deliveries beyond the first delivery of a message.
    pub redelivered: u64,
    /// Reports without new information.
    pub duplicates: u64,
}

impl JobRecord {
    /// The record of a job that has not started.
    pub fn new(id: JobId, pipeline: PipelineName, created: Timestamp) -> Self {
        Self {
            id,
            pipeline,
            state: JobState::Starting,
            reason: None,
            ended_as_told: false,
            created,
            started: None,
            finished: None,
            datums: Counts::default(),
            stats: StageStats::default(),
            usage: None,
            first: None,
            redelivered: 0,
            duplicates: 0,
        }
    }
}

/// Datums of a job by final state. While a job expands, `total` counts the datums found so far.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Counts {
    /// All datums of the job.
    pub total: u64,
    /// Done by the job.
    pub processed: u64,
    /// Done by an earlier job.
    pub skipped: u64,
    /// Failed, all attempts.
    pub failed: u64,
    /// Failed, but `err_cmd` succeeded.
    pub recovered: u64,
}

impl Counts {
    /// Datums in a final state.
    pub fn ended(&self) -> u64 {
        self.processed + self.skipped + self.failed + self.recovered
    }

    /// Datums that are known and not yet ended.
    pub fn outstanding(&self) -> u64 {
        self.total.saturating_sub(self.ended())
    }
}
