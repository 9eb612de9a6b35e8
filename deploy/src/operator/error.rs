//! Why a pipeline could not be tended, and when to try again.

use std::error::Error;
use std::time::Duration;

use kube::core::Status;
use kube::runtime::finalizer;

use crate::books::BooksError;

/// Answers to a request that is not well made, not allowed, too large, not valid.
const REFUSALS: [u16; 4] = [400, 403, 413, 422];

/// What server-side apply says of an object that is not of its type: a field that is unknown, or one key twice. It calls
/// that an internal error.
const NOT_OF_ITS_TYPE: &str = "failed to create typed patch object";

/// Why a pipeline could not be tended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The API server did not do what it was asked.
    #[error("cannot {action}")]
    Kube {
        /// What was to be done.
        action: &'static str,
        /// Its answer.
        #[source]
        source: kube::Error,
    },
    /// The store did not answer.
    #[error("cannot use the store")]
    Books(#[source] BooksError),
    /// The resource is being deleted, and jobs of its pipeline have not ended.
    #[error("waiting for {0} stopped jobs to end")]
    JobsOpen(u64),
    /// The resource was read from no cluster.
    #[error("the resource has no uid")]
    Nameless,
    /// The finalizer could not be set or taken away.
    #[error("cannot change the finalizer")]
    Finalizer(#[source] Box<finalizer::Error<OperatorError>>),
}

impl OperatorError {
    /// For `map_err`: what was to be done.
    pub(super) fn at(action: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Kube { action, source }
    }

    /// What the API server says against an object itself: it is not valid, or a rule of the cluster forbids it. None if
    /// the same object may be taken another time.
    pub(super) fn refusal(&self) -> Option<String> {
        match self {
            Self::Kube {
                action,
                source: kube::Error::Api(status),
            } if is_refusal(status) => Some(format!("cannot {action}: {}", status.message)),
            _ => None,
        }
    }

    /// When to try again after so many failures in a row.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        match self {
            // No failure: they end when they end.
            Self::JobsOpen(_) => Duration::from_secs(2),
            // Somebody else was quicker; the next look sees what they did.
            Self::Kube {
                source: kube::Error::Api(status),
                ..
            } if status.is_conflict() => Duration::from_millis(200),
            // Nothing but a person's change helps, and that is seen by itself.
            Self::Kube {
                source: kube::Error::Api(status),
                ..
            } if is_refusal(status) => Duration::from_mins(2),
            Self::Kube { .. } | Self::Books(_) | Self::Nameless | Self::Finalizer(_) => {
                let doubled = Duration::from_secs(1) * 2u32.pow(failures.min(6));
                doubled.min(Duration::from_mins(1))
            }
        }
    }

    /// In a word, for metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::JobsOpen(_) => "waiting",
            Self::Books(_) => "store",
            Self::Kube { .. } | Self::Nameless | Self::Finalizer(_) => "kubernetes",
        }
    }
}

/// Whether the same request would be answered so again, until a person changes something.
fn is_refusal(status: &Status) -> bool {
    REFUSALS.contains(&status.code) || status.message.contains(NOT_OF_ITS_TYPE)
}

impl From<finalizer::Error<Self>> for OperatorError {
    fn from(error: finalizer::Error<Self>) -> Self {
        match error {
            finalizer::Error::ApplyFailed(error) | finalizer::Error::CleanupFailed(error) => error,
            finalizer::Error::AddFinalizer(source) => Self::Kube {
                action: "add the finalizer",
                source,
            },
            finalizer::Error::RemoveFinalizer(source) => Self::Kube {
                action: "remove the finalizer",
                source,
            },
            other => Self::Finalizer(Box::new(other)),
        }
    }
}

/// An error with all its causes, for people.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(link) = cause {
        text.push_str(": ");
        text.push_str(&link.to_string());
        cause = link.source();
    }
    text
}
