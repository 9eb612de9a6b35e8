//! Coordinators of one pipeline among themselves: who is at it.

use serde::{Deserialize, Serialize};

/// What the coordinator at work holds, unanswered, as long as it is at work. Each one that would like to be sends a
/// baton to the reports of the pipeline. As only one consumer of these receives, who gets a baton is the one; when
/// it goes, the broker gives its baton to the next. One who holds a baton takes further ones out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LeaderToken {
    /// The process that sent it.
    pub from: String,
}
