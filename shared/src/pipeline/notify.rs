//! Notifications about jobs, as meant.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An event of a job.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// The job succeeded, and its output is published.
    Success,
    /// The job failed, or was ended by a limit.
    Failure,
    /// Something keeps the job from making progress.
    Standstill,
}

impl NotifyEvent {
    /// All events.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Standstill];

    /// The name, as in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Standstill => "standstill",
        }
    }
}

/// A receiver of events.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// The events to send; not empty.
    pub on: Vec<NotifyEvent>,
    /// The receiver.
    pub receiver: Receiver,
    /// Time limit of a delivery; default 30 s.
    pub timeout: Duration,
    /// How long a job makes no progress before it stands still; default 10 minutes.
    pub standstill_after: Duration,
}

/// The address of a receiver of events.
#[derive(Clone, Debug, PartialEq)]
pub enum Receiver {
    /// A web server.
    Webhook {
        /// `http` or `https`, without credentials. The path may be secret: only the host is shown.
        url: url::Url,
        /// Name of the key that signs requests.
        signing_key: Option<String>,
    },
    /// A program and its arguments; not empty.
    Command(Vec<String>),
}
