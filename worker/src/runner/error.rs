//! What can go wrong with a runner itself, as opposed to the command it runs.

use std::io;
use std::process::ExitStatus;

/// Why a runner is of no use (any more). The slot starts a new one.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// Its process could not be started.
    #[error("runner process cannot be started from {program}")]
    Spawn {
        /// The binary.
        program: String,
        /// The failure.
        #[source]
        source: io::Error,
    },
    /// None of the sandboxes asked for can be had here.
    #[error("no sandbox can be set up: {}", reasons.join("; "))]
    NoSandbox {
        /// Why each of them cannot.
        reasons: Vec<String>,
    },
    /// It ended in the middle of things; whatever it ran was killed.
    #[error("runner process died ({})", describe(*status))]
    Died {
        /// How, when that is known.
        status: Option<ExitStatus>,
    },
    /// It could not even begin with an order, for no fault of the order.
    #[error("the slot is unfit: {reason}")]
    Unfit {
        /// Why.
        reason: String,
    },
    /// What it says makes no sense.
    #[error("runner process does not keep to the protocol")]
    Protocol {
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// An earlier order was abandoned before it ended.
    #[error("runner is still busy with an abandoned order")]
    Busy,
    /// [`Inputs::Same`](super::Inputs::Same) without a datum before it.
    #[error("runner has no datum to repeat")]
    NothingToRepeat,
}

fn describe(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "status unknown".to_owned(), |status| status.to_string())
}
