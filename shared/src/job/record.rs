//! The job record: what `drover job` prints, and what the store keeps.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::JobState;
use crate::datum::StageStats;
use crate::id::{JobId, PipelineName};

/// A job as others see it; its JSON is a contract (`docs/cli.md`).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct JobRecord {
    /// The job.
    #[serde(rename = "job")]
    pub id: JobId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// Where it stands.
    pub state: JobState,
    /// Why it failed or was killed.
    pub reason: Option<String>,
    /// When it was asked for.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created: Timestamp,
    /// When its first datum was looked at.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started: Option<Timestamp>,
    /// When it reached its final state.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished: Option<Timestamp>,
    /// How many datums ended how.
    pub datums: Counts,
    /// Sums over its datums.
    pub stats: StageStats,
    /// Deliveries that were not the first one.
    pub redelivered: u64,
    /// Reports that told what was known already.
    pub duplicates: u64,
}

impl JobRecord {
    /// The record of a job that is about to start.
    pub fn new(id: JobId, pipeline: PipelineName, created: Timestamp) -> Self {
        Self {
            id,
            pipeline,
            state: JobState::Starting,
            reason: None,
            created,
            started: None,
            finished: None,
            datums: Counts::default(),
            stats: StageStats::default(),
            redelivered: 0,
            duplicates: 0,
        }
    }
}

/// How many datums ended how. While a job expands, `total` is what is known so far.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Counts {
    /// All datums of the job.
    pub total: u64,
    /// Done in this job.
    pub processed: u64,
    /// Done by an earlier job.
    pub skipped: u64,
    /// Failed, all attempts.
    pub failed: u64,
    /// Failed, but `err_cmd` succeeded.
    pub recovered: u64,
}

impl Counts {
    /// Datums that have ended, one way or another.
    pub fn ended(&self) -> u64 {
        self.processed + self.skipped + self.failed + self.recovered
    }

    /// Datums still to be done, of those known.
    pub fn outstanding(&self) -> u64 {
        self.total.saturating_sub(self.ended())
    }
}
