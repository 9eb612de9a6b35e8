//! The states of a job.

use serde::{Deserialize, Serialize};

/// Where a job stands.
///
/// ```text
/// starting → running → publishing → egressing → success
///     └─────────┴───────────┴───────────┴─────→ failure | killed
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Created; its inputs are not yet listed.
    Starting,
    /// Datums are being expanded and worked on.
    Running,
    /// All datums are done; the output folder is being brought up to date.
    Publishing,
    /// The output is being copied to the egress URL.
    Egressing,
    /// All is done.
    Success,
    /// Some datums failed, or the output could not be published.
    Failure,
    /// Stopped by a person, by `job_timeout`, or cut off.
    Killed,
}

impl JobState {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Killed)
    }

    /// Whether a job may go from `self` to `next`: forward only, and never out of a final state.
    pub fn may_become(self, next: Self) -> bool {
        !self.is_final() && (self as u8) < (next as u8)
    }
}
