//! Errors of a runner itself, as opposed to failures of the command that a runner executes.

use std::io;
use std::process::ExitStatus;

/// Why a runner cannot be used any more. The slot starts a new runner.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The runner process could not be started.
    #[error("runner process cannot be started from {program}")]
    Spawn {
        /// The binary.
        program: String,
        /// The failure.
        #[source]
        source: io::Error,
    },
    /// No sandbox of the requested kind can be set up on the local machine.
    #[error("no sandbox can be set up: {}", reasons.join("; "))]
    NoSandbox {
        /// The reason for each sandbox that was tried.
        reasons: Vec<String>,
    },
    /// The runner ended unexpectedly; the kernel or the supervisor killed its command.
    #[error("runner process died ({})", describe(*status))]
    Died {
        /// The exit status, if known.
        status: Option<ExitStatus>,
    },
    /// The runner could not start an order for a reason that lies in the slot.
    #[error("the slot is unfit: {reason}")]
    Unfit {
        /// Why.
        reason: String,
    },
    /// The runner sent a malformed or unexpected message, or could not be written to.
    #[error("runner process violated the protocol")]
    Protocol {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// An earlier order was abandoned before its end.
    #[error("runner is still busy with an abandoned order")]
    Busy,
    /// [`Inputs::Same`](super::Inputs::Same) was sent before any datum.
    #[error("runner has no datum to repeat")]
    NothingToRepeat,
}

fn describe(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "status unknown".to_owned(), |status| status.to_string())
}
