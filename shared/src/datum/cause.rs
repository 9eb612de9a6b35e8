//! Why a datum failed, in a form that groups.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why the last attempt of a datum failed. Failures with equal causes are one line of a summary.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// The command exited with a code that is not accepted.
    Exit {
        /// The exit code.
        code: i32,
        /// Its last line on stderr, whole.
        last_line: String,
    },
    /// A signal ended the command.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Its last line on stderr, whole.
        last_line: String,
    },
    /// The command, which takes datum after datum, said that it failed at this one.
    GaveUp {
        /// Why, in its own words.
        message: String,
    },
    /// The command was still running at `datum_timeout`.
    Timeout {
        /// Its last line on stderr, whole.
        last_line: String,
    },
    /// The command could not be started: not found, not executable, unknown user …
    Start {
        /// What is wrong, and the way out.
        message: String,
    },
    /// An input could not be staged.
    Input {
        /// What is wrong, and the way out.
        message: String,
    },
    /// The output could not be stored: links that leave the datum, devices, names.
    Output {
        /// What is wrong, and the way out.
        message: String,
    },
    /// No worker could take the message that brought it.
    Undeliverable {
        /// Why, and the way out.
        message: String,
    },
    /// The worker died that many times while it ran this datum.
    WorkerDied {
        /// How many times.
        times: u32,
    },
}

impl fmt::Display for Cause {
    /// In a line: `exit 1: no such column`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            Self::Exit { code, last_line } => {
                write!(out, "exit {code}")?;
                last_line
            }
            Self::Signal { signal, last_line } => {
                write!(out, "signal {signal}")?;
                last_line
            }
            Self::Timeout { last_line } => {
                out.write_str("timeout")?;
                last_line
            }
            Self::GaveUp { message } => {
                out.write_str("given up")?;
                message
            }
            Self::Start { message }
            | Self::Input { message }
            | Self::Output { message }
            | Self::Undeliverable { message } => {
                return out.write_str(message);
            }
            Self::WorkerDied { times: 1 } => {
                return out.write_str("worker died once while running it");
            }
            Self::WorkerDied { times } => {
                return write!(out, "worker died {times} times while running it");
            }
        };
        match line.trim() {
            "" => Ok(()),
            line => write!(out, ": {line}"),
        }
    }
}
