//! Notifications about jobs, as typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::Duration;
use crate::pipeline::NotifyEvent;

/// Where events of the pipeline's jobs are sent: `webhook` or `command`, not both.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Notification {
    /// The events to send. By default all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["failure", "standstill"])]
    pub(in crate::pipeline) on: Vec<NotifyEvent>,
    /// A URL, to which each event is posted as a `CloudEvent` in JSON.
    #[schemars(example = &"https://hooks.example.org/drover")]
    pub(in crate::pipeline) webhook: Option<String>,
    /// The name of the key that signs requests to the webhook: a file in the directory `--notify-keys`.
    #[schemars(example = &"hooks")]
    pub(in crate::pipeline) signing_key: Option<String>,
    /// A program and its arguments; environment and standard input hold the event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["/usr/local/bin/page-somebody"])]
    pub(in crate::pipeline) command: Vec<String>,
    /// Time limit of a request or of the command, at most 5m.
    #[schemars(extend("default" = "30s"), example = &"2m")]
    pub(in crate::pipeline) timeout: Option<Duration>,
    /// How long a job makes no progress before the event `standstill`.
    #[schemars(extend("default" = "10m"), example = &"1h")]
    pub(in crate::pipeline) standstill_after: Option<Duration>,
}
