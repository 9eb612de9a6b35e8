//! The verdict of a datum: the commit record, written once, by conditional put.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, ResourceUsage};
use crate::id::{DatumId, JobId, WorkerId};

/// The states shown to users.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DatumState {
    /// Waiting for a worker.
    Queued,
    /// A worker is processing the datum.
    Running,
    /// An attempt failed; the datum will be retried.
    Retrying,
    /// The output is committed.
    Success,
    /// All attempts failed, `err_cmd` too.
    Failed,
    /// All attempts failed and `err_cmd` succeeded: no output, and the next job runs the datum again.
    Recovered,
    /// Already done by an earlier job.
    Skipped,
}

/// The final state of a datum.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictState {
    /// The output is committed.
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
    /// The final state.
    pub state: VerdictState,
    /// Attempts in all, on all workers.
    pub attempts: u32,
    /// The worker that ended the datum.
    pub worker: WorkerId,
    /// The cause of a failure; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Prefix of the staged files, unique to the attempt: output `n` lies at
    /// [`layout::staged_file`](crate::store::layout::staged_file)`(job, staged, n)`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub staged: String,
    /// The files written, in byte order of their paths; empty unless the datum succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// Bytes and seconds spent.
    pub stats: StageStats,
    /// Resources that the commands used. Absent in records of older versions, and if no command ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<ResourceUsage>,
    /// The start of staging for the last attempt.
    pub started: Timestamp,
    /// The time of this record.
    pub finished: Timestamp,
    /// The job that produced the verdict, if the verdict was taken over and nothing was run; the logs belong to the
    /// named job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<JobId>,
}

impl Verdict {
    /// True if all times are such as a worker may measure.
    pub fn is_plausible(&self) -> bool {
        let usage = self.usage.as_ref();
        self.stats.is_plausible() && usage.is_none_or(ResourceUsage::is_plausible)
    }

    /// The verdict of a datum of `job`, copied into a job that does not retry the datum: the copy has empty statistics and no usage.
    #[must_use]
    pub fn taken_over(self, job: JobId) -> Self {
        Self {
            taken_from: self.taken_from.or(Some(job)),
            stats: StageStats::default(),
            usage: None,
            ..self
        }
    }
}

/// A file written by a datum.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Output {
    /// Path below the output folder, beginning with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// BLAKE3 hash of the bytes, as in the tags of inputs: `blake3:` and 32 hexadecimal digits. Absent in records of older
    /// versions, and for sparse files that are too large to be hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// [`Entry::version`](crate::store::Entry::version) of the staged file just after it was stored, before anything was
    /// published. A folder store only: as long as it is equal, the file is whole without being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub version: Option<String>,
}

/// Costs of a datum; the sums over a job are the `stats` of the job record.
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
    /// Seconds of earlier runs, cut off with leaving workers; absent if 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wasted_time_s: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

impl StageStats {
    /// Longest time of a stage that a worker reports: a hundred years.
    const MAX_TIME_S: f64 = 3.2e9;

    /// True if the times are finite, not negative, and such as a worker may measure. Every number of bytes is plausible: a
    /// sparse file has as many as its command likes.
    pub fn is_plausible(&self) -> bool {
        let times = [
            self.download_time_s,
            self.process_time_s,
            self.upload_time_s,
            self.wasted_time_s,
        ];
        let range = 0.0..=Self::MAX_TIME_S;
        times.iter().all(|time| range.contains(time))
    }
}
