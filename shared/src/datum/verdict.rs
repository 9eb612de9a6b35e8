//! What became of a datum: the commit record, written once, by conditional put.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cause;
use crate::id::{DatumId, JobId, WorkerId};

/// The states that a person sees.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DatumState {
    /// Waiting for a worker.
    Queued,
    /// A worker is at it.
    Running,
    /// An attempt failed; another follows.
    Retrying,
    /// Done, its output committed.
    Success,
    /// All attempts failed, `err_cmd` too.
    Failed,
    /// All attempts failed, `err_cmd` succeeded: no output, and the next job runs it again.
    Recovered,
    /// An earlier job did this work.
    Skipped,
}

/// How a datum ended. There is no way back from any of them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictState {
    /// Done, its output committed.
    Success,
    /// All attempts failed.
    Failed,
    /// `err_cmd` succeeded.
    Recovered,
}

impl From<VerdictState> for DatumState {
    fn from(state: VerdictState) -> Self {
        match state {
            VerdictState::Success => Self::Success,
            VerdictState::Failed => Self::Failed,
            VerdictState::Recovered => Self::Recovered,
        }
    }
}

/// The commit record of a datum. The first one written for an index of a job is the truth.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Verdict {
    /// Place in the job.
    pub index: u64,
    /// Identity of the work.
    pub datum: DatumId,
    /// How it ended.
    pub state: VerdictState,
    /// Attempts in all, on all workers.
    pub attempts: u32,
    /// Who ended it.
    pub worker: WorkerId,
    /// Why it failed; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Prefix of the staged files, unique to the attempt: output `n` lies at
    /// [`layout::staged_file`](crate::store::layout::staged_file)`(job, staged, n)`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub staged: String,
    /// The files it wrote, in byte order of their paths; empty unless it succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// What it cost.
    pub stats: StageStats,
    /// When its last attempt began to stage.
    pub started: Timestamp,
    /// When this record was made.
    pub finished: Timestamp,
    /// The job whose verdict this is, if it was taken over from there and nothing was run; the logs lie there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<JobId>,
}

impl Verdict {
    /// The verdict of a datum of `job` as the one of the same datum in a job that does not try it again: it costs
    /// nothing there.
    #[must_use]
    pub fn taken_over(self, job: JobId) -> Self {
        Self {
            taken_from: self.taken_from.or(Some(job)),
            stats: StageStats::default(),
            ..self
        }
    }
}

/// One file that a datum wrote.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Output {
    /// Path below the output folder, beginning with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
}

/// What a datum cost; the sums over a job are its record's `stats`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct StageStats {
    /// Bytes of input made available.
    pub download_bytes: u64,
    /// Bytes of output stored.
    pub upload_bytes: u64,
    /// Seconds of staging.
    pub download_time_s: f64,
    /// Seconds of the user's command, all attempts.
    pub process_time_s: f64,
    /// Seconds of storing the output.
    pub upload_time_s: f64,
}
