//! The leader token of a pipeline.

use serde::{Deserialize, Serialize};

/// Leadership token. Each candidate publishes a token to the pipeline's reports queue. The queue has a single active
/// consumer: the process that receives a token leads, holds it unacked until exit, and acks further tokens. When the
/// leader exits, the broker redelivers its token to the next candidate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LeaderToken {
    /// The process that published the token.
    pub from: String,
}
