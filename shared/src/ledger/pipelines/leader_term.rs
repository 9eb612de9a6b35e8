//! Fencing of the leaders that change registered pipelines on behalf of Kubernetes.
//!
//! Of several operators one leads. A leader that was cut off may still write for a moment after another operator leads.
//! Each change therefore carries the leader's term, and the registry refuses a change if a later term is recorded.

use serde::{Deserialize, Serialize};

/// One leadership of an operator.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LeaderTerm {
    /// The Lease, as `namespace/name`. Terms of different Leases are not compared.
    pub lease: String,
    /// The Lease's count of transitions: a later leadership has a larger count.
    pub transitions: u64,
}

/// A later leader has changed the pipeline.
#[derive(Debug, thiserror::Error)]
#[error(
    "a later leader of the Lease {lease} has changed the pipeline, in term {recorded}; the term {own} is over"
)]
pub struct Superseded {
    /// The Lease.
    pub lease: String,
    /// The recorded term.
    pub recorded: u64,
    /// The term of the refused change.
    pub own: u64,
}

impl LeaderTerm {
    /// Fails if `recorded` is a later term of the same Lease.
    pub(super) fn check(&self, recorded: Option<&Self>) -> Result<(), Superseded> {
        match recorded {
            Some(recorded)
                if recorded.lease == self.lease && recorded.transitions > self.transitions =>
            {
                Err(Superseded {
                    lease: self.lease.clone(),
                    recorded: recorded.transitions,
                    own: self.transitions,
                })
            }
            _ => Ok(()),
        }
    }
}
