//! The reason of a datum's failure, in a form that can be grouped.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::DecimalSize;

/// The reason of the last failed attempt of a datum. Failures with equal causes share a line of a summary.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// The command exited with a code outside the accepted set.
    Exit {
        /// The exit code.
        code: i32,
        /// The last line on stderr, whole.
        last_line: String,
    },
    /// A signal ended the command.
    Signal {
        /// The signal's number.
        signal: i32,
        /// The last line on stderr, whole.
        last_line: String,
    },
    /// A batching command reported an error for the datum.
    GaveUp {
        /// The message of the command.
        message: String,
    },
    /// The command was still running at `datum_timeout`.
    Timeout {
        /// The last line on stderr, whole.
        last_line: String,
    },
    /// The command could not be started: not found, not executable, unknown user …
    Start {
        /// The problem and the remedy.
        message: String,
    },
    /// An input could not be staged.
    Input {
        /// The problem and the remedy.
        message: String,
    },
    /// The output could not be stored: links to outside of the datum, devices, names.
    Output {
        /// The problem and the remedy.
        message: String,
    },
    /// No worker could accept the message of the datum.
    Undeliverable {
        /// Why, and the way out.
        message: String,
    },
    /// The command was ended for want of memory, at its last attempt too.
    Memory {
        /// Bytes of memory held by the command when Drover ended it.
        bytes: u64,
        /// Bytes of its inputs.
        input_bytes: u64,
        /// Bytes of memory that the largest worker has, if the command had all of its worker's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u64>,
    },
    /// The command was ended because its files filled more scratch space than a datum may.
    Scratch {
        /// Bytes of the files when Drover ended the command.
        bytes: u64,
        /// Bytes of the limit.
        limit: u64,
    },
    /// The worker died repeatedly while running the datum.
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
            Self::Memory {
                bytes,
                input_bytes,
                most,
            } => {
                let (bytes, inputs) = (DecimalSize(*bytes), DecimalSize(*input_bytes));
                write!(out, "needed more than {bytes} of memory; inputs {inputs}")?;
                return match most {
                    Some(most) => write!(out, "; the largest worker has {}", DecimalSize(*most)),
                    None => Ok(()),
                };
            }
            Self::Scratch { bytes, limit } => {
                let (bytes, limit) = (DecimalSize(*bytes), DecimalSize(*limit));
                return write!(out, "filled {bytes} of scratch space; the limit is {limit}");
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
