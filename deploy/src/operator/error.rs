//! Errors of a reconciliation, and the back-off of each.

use std::time::Duration;

use kube::core::Status;

use crate::job_store::JobStoreError;

/// Status codes of requests that are malformed, forbidden, too large or invalid.
const REFUSALS: [u16; 4] = [400, 403, 413, 422];

/// Message of server-side apply for an object with an unknown field or a repeated key. The API server answers with the
/// code of an internal error.
const NOT_OF_ITS_TYPE: &str = "failed to create typed patch object";

/// A failed reconciliation.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The API server refused or did not answer.
    #[error("cannot {action}")]
    Kube {
        /// The attempted action.
        action: &'static str,
        /// The API server's answer.
        #[source]
        source: kube::Error,
    },
    /// The store failed.
    #[error("cannot use the store")]
    JobStore(#[source] JobStoreError),
    /// The resource has no name or no uid.
    #[error("the resource has no uid")]
    Nameless,
}

impl OperatorError {
    /// For `map_err`: adds the attempted action.
    pub(super) fn at(action: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Kube { action, source }
    }

    /// The API server's reason for refusing the object itself: the object is invalid or violates a policy. `None` if a
    /// retry may succeed.
    pub(super) fn refusal(&self) -> Option<String> {
        match self {
            Self::Kube {
                action,
                source: kube::Error::Api(status),
            } if is_refusal(status) => Some(format!("cannot {action}: {}", status.message)),
            _ => None,
        }
    }

    /// The back-off after so many consecutive failures.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        match self {
            // A concurrent write; the next reconciliation sees its result.
            Self::Kube {
                source: kube::Error::Api(status),
                ..
            } if status.is_conflict() => Duration::from_millis(200),
            // Only a user's change helps, and a watch reports that change.
            Self::Kube {
                source: kube::Error::Api(status),
                ..
            } if is_refusal(status) => Duration::from_mins(2),
            Self::Kube { .. } | Self::JobStore(_) | Self::Nameless => {
                let doubled = Duration::from_secs(1) * 2u32.pow(failures.min(6));
                doubled.min(Duration::from_mins(1))
            }
        }
    }

    /// The value of the metrics label.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::JobStore(_) => "store",
            Self::Kube { .. } | Self::Nameless => "kubernetes",
        }
    }
}

/// True if the same request would be refused again until a user changes something.
fn is_refusal(status: &Status) -> bool {
    REFUSALS.contains(&status.code) || status.message.contains(NOT_OF_ITS_TYPE)
}
